"""Read, merge and check the configuration files, and report all their problems at once."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from lib.errors import UserError, did_you_mean
from lib.files.atomic import write_json
from lib.files.hashing import hash_value
from lib.files.json_files import read_json
from lib.files.yaml_files import load_yaml
from lib.pydantic_base import FrozenSchema
from lib.settings.config import HUB_ID, AugmentationWords, BackboneSource, Config, OptimizerSettings, Recipe
from lib.settings.hyperparameters import SEARCHED, Optimizer, value_problems
from lib.settings.space import (
    Space,
    apply_constraints,
    backbone_problems,
    check_space,
    drop_unused_parameters,
    flatten,
    format_validation_error,
    unknown_parameter,
)

VERSION = 2
_SCALAR = re.compile(r"^([+-]?\d+(\.\d*)?([eE][+-]?\d+)?|true|false|null)$")


class Settings(FrozenSchema):
    """Everything that a run depends on; `space` is narrowed by the constraints of `config`."""

    config: Config
    backbones: dict[str, BackboneSource]
    optimizers: dict[str, OptimizerSettings]
    recipes: dict[str, Recipe]
    words: AugmentationWords
    space: Space

    def config_hash(self) -> str:
        """Return the hash that documents hold as config_hash."""
        return hash_value(self.model_dump(mode="json"))


def load_settings(raw: Mapping[str, Any], files: Sequence[str | Path] = ()) -> Settings:
    """Check a merged configuration and the files it names.

    Args:
        raw: The merged mapping, in which later files override earlier ones.
        files: The files that it was merged from, in that order. An error names the last file that sets the key.

    Returns:
        The settings, with the search space narrowed by the constraints, and the backbones and optimizers that the
        space can suggest.

    Raises:
        UserError: A file is missing or a value is wrong; one line for each problem.
    """
    raw = _numbers(raw)
    where = _KeySources(files, raw)
    config, problems = _config(raw, where)
    if config is None:
        raise UserError(problems)
    backbones, backbone_problems = _backbones(config.backbones)
    optimizers, optimizer_problems = _optimizers(config.optimizers)
    recipes, recipe_problems = ({}, []) if config.recipes is None else _recipes(config.recipes, backbones)
    words, word_problems = _words(config.augmentation.words)
    flat = flatten(read_yaml(config.search_space))
    space_problems = [
        f"{config.search_space}: {name}: {text}" for name, text in check_space(_numbers(flat), backbones)
    ]
    problems += backbone_problems + optimizer_problems + recipe_problems + word_problems + space_problems
    if problems or words is None:
        raise UserError(problems)
    space = Space.model_validate_json(json.dumps({"parameters": _numbers(flat)}))
    space, narrowing = apply_constraints(space, config.constraints, backbones)
    if narrowing:
        raise UserError(f"{where.of(['constraints', n])}: constraints: {n}: {text}" for n, text in narrowing)
    if config.baseline.backbone not in {None, *space.backbones}:
        raise UserError(
            f"{where.of(['baseline', 'backbone'])}: baseline.backbone: '{config.baseline.backbone}' is not among the"
            f" space's backbones: {', '.join(space.backbones)}"
        )
    return Settings(
        config=config,
        backbones={name: backbones[name] for name in space.backbones},
        optimizers={name: optimizers[name] for name in space.optimizers},
        recipes=recipes,
        words=words,
        space=drop_unused_parameters(space),
    )


def resolve_settings(files: Sequence[Path], overlay: str | None) -> Settings:
    """Merge a configuration from YAML files and a JSON text, and check it.

    Args:
        files: YAML files; later ones override earlier ones.
        overlay: A JSON mapping that overrides the files, or None.

    Returns:
        The checked settings.

    Raises:
        UserError: A file is missing or a value is wrong; one line for each problem.
    """
    raw: dict[str, Any] = {}
    for file in files:
        raw = merge(raw, read_yaml(file))
    if overlay:
        try:
            more = json.loads(overlay)
        except json.JSONDecodeError as error:
            raise UserError(f"--json: not valid JSON ({error})") from None
        if not isinstance(more, dict):
            raise UserError("--json: expected a mapping of keys to values")
        raw = merge(raw, more)
    return load_settings(raw, files)


def save_settings(settings: Settings, path: str | Path) -> None:
    """Write settings as JSON for `read_settings`.

    Args:
        settings: The settings to write.
        path: File to write or replace.
    """
    write_json(path, {"kind": "settings", "schema_version": VERSION, **settings.model_dump(mode="json")})


def read_settings(path: str | Path) -> Settings:
    """Return the settings that `save_settings` wrote.

    Raises:
        UserError: The file is missing, is not a settings file, or has another version; the line names it.
    """
    body = read_json(path)
    if not isinstance(body, dict) or body.pop("kind", None) != "settings":
        raise UserError(f"{path}: is not a settings file; make one with 'python -m lib settings'")
    if (found := body.pop("schema_version", None)) != VERSION:
        raise UserError(f"{path}: schema_version {found} is unknown (this version reads {VERSION})")
    try:
        return Settings.model_validate_json(json.dumps(body))
    except ValidationError as error:
        raise UserError(f"{path}: {_path(e['loc'])}: {format_validation_error(e)}" for e in error.errors()) from None


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        UserError: The file is missing or is not a YAML mapping in UTF-8; the line names the file and the place.
    """
    try:
        value = load_yaml(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}, line {line}: not valid YAML: {error.problem}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a mapping of keys to values")
    return value


def merge(base: Mapping[str, Any], overlay: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two configurations as Snakemake does.

    Args:
        base: The configuration to start from. It is not changed.
        overlay: The configuration that overrides it. Mappings are merged key by key; anything else is replaced.

    Returns:
        The merged configuration.
    """
    merged = dict(base)
    for key, value in overlay.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the configuration, for editors."""
    schema = Config.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _config(raw: Mapping[str, Any], where: "_KeySources") -> tuple[Config | None, list[str]]:
    """Return the configuration and its problems, one line each.

    Wrong keys are left out, so that the other keys and the files that they name are checked too, and all problems are
    reported at once. The configuration is None if it cannot do without the wrong keys.
    """
    lines: list[str] = []
    try:
        config = Config.model_validate_json(json.dumps(raw))
    except ValidationError as error:
        for problem in error.errors():
            loc = list(problem["loc"])
            text = _unknown_key(loc) if problem["type"] == "extra_forbidden" else format_validation_error(problem)
            lines.append(f"{where.of(loc)}: {_path(loc)}: {text}")
            raw = _without(raw, loc)
        try:
            config = Config.model_validate_json(json.dumps(raw))
        except ValidationError:
            return None, lines
    return config, lines + [f"{where.of(k.split('.'))}: {k}: {text}" for k, text in config.contradictions()]


def _without(tree: Mapping[str, Any], loc: Sequence[int | str]) -> dict[str, Any]:
    """Return the tree without the key at `loc`, or without the nearest key above it that is in a mapping."""
    key, rest = loc[0], loc[1:]
    below = tree.get(str(key))
    if rest and isinstance(below, Mapping) and rest[0] in below:
        return {**tree, str(key): _without(below, rest)}
    return {name: value for name, value in tree.items() if name != key}


# Their nearest valid keys mean something else.
_RENAMED = {"stage_b.seeded": "stage_b.warm_start", "stage_b.population": "stage_b.population_size"}


def _unknown_key(loc: Sequence[int | str]) -> str:
    model: Any = Config
    for part in loc[:-1]:
        field = model.model_fields.get(part)
        if field is None or not isinstance(field.annotation, type):
            return "unknown key"
        model = field.annotation
    if (renamed := _RENAMED.get(".".join(map(str, loc)))) is not None:
        return f"is called {renamed} now"
    known = list(getattr(model, "model_fields", {}))
    return f"unknown key{did_you_mean(str(loc[-1]), known)} (known: {', '.join(known)})"


def _backbones(path: str) -> tuple[dict[str, BackboneSource], list[str]]:
    adapter: TypeAdapter[BackboneSource] = TypeAdapter(BackboneSource)
    backbones, problems = {}, []
    for name, value in read_yaml(path).items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(name)):
            problems.append(f"{path}: {name}: a backbone's name may hold letters, digits, '.', '_' and '-'")
            continue
        try:
            backbones[str(name)] = adapter.validate_python(_backbone_source(value))
        except UserError as error:
            problems += [f"{path}: {name}: {line}" for line in error.lines]
        except ValidationError as error:
            problems += [
                f"{path}: {_path([name, *e['loc'][1:]])}: {format_validation_error(e)}" for e in error.errors()
            ]
    return backbones, problems


def _backbone_source(value: Any) -> Any:
    """Return the mapping that the short form of a backbone stands for: a folder, or a hub id, perhaps @revision."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        raise UserError(f"{value!r} is no model; give OWNER/NAME of the hub, ./FOLDER or a mapping with 'source'")
    if value.startswith((".", "/", "~")):
        return {"source": "folder", "path": str(Path(value).expanduser())}
    if Path(value).is_dir():
        raise UserError(
            f"'{value}' is a folder, but may also be a model of the hub; write './{value}' for the folder"
        )
    repo, _, revision = value.partition("@")
    if re.fullmatch(HUB_ID, repo) is None:
        raise UserError(
            f"'{value}' is no model; give OWNER/NAME or OWNER/NAME@REVISION of the hub, ./FOLDER or a mapping"
        )
    return {"source": "hub", "repo": repo, "revision": revision or "main"}


def _optimizers(path: str) -> tuple[dict[str, OptimizerSettings], list[str]]:
    raw, found, problems = read_yaml(path), {}, []
    known = get_args(Optimizer)
    problems += [f"{path}: {n}: unknown optimizer{did_you_mean(str(n), known)}" for n in raw if n not in known]
    problems += [f"{path}: {n}: is missing; give its 'rate', 'decay' and 'source'" for n in known if n not in raw]
    for name in (n for n in known if n in raw):
        try:
            found[name] = OptimizerSettings.model_validate_json(json.dumps(_numbers(raw[name])))
        except ValidationError as error:
            problems += [f"{path}: {_path([name, *e['loc']])}: {format_validation_error(e)}" for e in error.errors()]
    return found, problems


def _recipes(path: str, backbones: Mapping[str, Any]) -> tuple[dict[str, Recipe], list[str]]:
    found: dict[str, Recipe] = {}
    problems: list[str] = []
    for name, value in read_yaml(path).items():
        try:
            recipe = Recipe.model_validate_json(json.dumps(_numbers(value)))
        except ValidationError as error:
            problems += [f"{path}: {_path([name, *e['loc']])}: {format_validation_error(e)}" for e in error.errors()]
            continue
        for parameter, given in recipe.params.items():
            if parameter not in SEARCHED:
                problems.append(f"{path}: {name}: {parameter}: {unknown_parameter(parameter)}")
                continue
            texts = [*value_problems(parameter, given), *backbone_problems(parameter, given, backbones)]
            problems += [f"{path}: {name}: {parameter}: {text}" for text in texts]
        found[str(name)] = recipe
    return found, problems


def _words(path: str) -> tuple[AugmentationWords | None, list[str]]:
    try:
        return AugmentationWords.model_validate_json(json.dumps(read_yaml(path))), []
    except ValidationError as error:
        return None, [f"{path}: {_path(e['loc'])}: {format_validation_error(e)}" for e in error.errors()]


def _path(loc: Iterable[int | str]) -> str:
    return ".".join(map(str, loc))


def _numbers(value: Any) -> Any:
    """Convert texts that are numbers, true, false or null into these values.

    YAML 1.1 reads 1e-6 as text because it has no dot, and Snakemake reads all values in --config 'a={b: 1}' as text.
    """
    if isinstance(value, Mapping):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(item) for item in value]
    if isinstance(value, str) and _SCALAR.match(value):
        return json.loads(value) if value in {"true", "false", "null"} else _number(value)
    return value


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


class _KeySources:
    """Finds the file that sets a key. The answer is '--config' if the command line set it."""

    def __init__(self, files: Sequence[str | Path], merged: Mapping[str, Any]) -> None:
        self._trees = [(str(file), _numbers(read_yaml(file))) for file in files]
        self._merged = merged
        self._files: Mapping[str, Any] = {}
        for _, tree in self._trees:
            self._files = merge(self._files, tree)

    def of(self, loc: Sequence[int | str]) -> str:
        """Return the last file that sets this key, or else the last that sets its nearest parent."""
        for depth in range(len(loc), 0, -1):
            final = _at(self._merged, loc[:depth])
            if final is _NOTHING:
                continue
            for file, tree in reversed(self._trees):
                if _at(tree, loc[:depth]) is not _NOTHING:
                    return file if depth < len(loc) or _at(self._files, loc) == final else "--config"
            if self._trees:
                return "--config"
        return self._trees[0][0] if self._trees else "--config"


_NOTHING = object()


def _at(tree: Any, loc: Sequence[int | str]) -> Any:
    for part in loc:
        if not isinstance(tree, Mapping) or part not in tree:
            return _NOTHING
        tree = tree[part]
    return tree
