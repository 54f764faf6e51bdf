import json
from pathlib import Path

import pytest
import yaml
from support.checkouts import ROOT
from support.tiny import TINY, tiny_settings

from lib.errors import UserError
from lib.settings.load import (
    json_schema,
    load_settings,
    merge,
    read_settings,
    read_yaml,
    resolve_settings,
    save_settings,
)


def lines(raw: dict, files: list[str] | None = None) -> list[str]:
    with pytest.raises(UserError) as caught:
        load_settings(raw, files or ["config/config.yaml"])
    return caught.value.lines


def changed(**more: object) -> dict:
    return merge(read_yaml("config/config.yaml"), more)


def test_the_shipped_configurations_are_valid(project: Path) -> None:
    embedded = load_settings(read_yaml("config/config.yaml"))
    assert set(embedded.backbones) == {"minilm-l4"}
    production = load_settings(changed(**read_yaml("config/supermax.yaml")))
    assert len(production.backbones) == 8
    declared = load_settings(changed(constraints=None) | {"constraints": {}}).space.parameters
    narrowed = {name for name, value in production.space.parameters.items() if value != declared[name]}
    # Gradient checkpointing changes time and memory but no result.
    indifferent = {"model.gradient_checkpointing"}
    assert narrowed == {"model.backbone", "joint.backbone"} | indifferent, "production searches the whole space"
    config = production.config
    assert config.corpus.tolerate == ("contradiction",), "annotators of ReDSM5 repeat rows and contradict each other"
    assert (config.corpus.test_fraction, config.corpus.unannotated) == (0.15, 5.0)
    assert (config.baseline.epochs, config.baseline.seeds) == (3, 3)
    assert (config.stage_a.trials, config.stage_a.seeds, config.training.epochs) == (1000, 3, 20)
    assert (config.stage_b.trials, config.stage_b.seeds) == (1500, 4)
    stage_c = config.stage_c
    assert (stage_c.candidates, stage_c.folds, stage_c.repeats) == (10, 5, 6)


def test_every_problem_is_reported_at_once_with_file_key_and_nearest_name(project: Path) -> None:
    overlay = {"stage_a": {"trails": 3, "seeds": "many"}, "seed": 1.5}
    Path("overlay.yaml").write_text(yaml.safe_dump(overlay))
    found = lines(changed(**overlay), ["config/config.yaml", "overlay.yaml"])
    assert len(found) == 3
    assert any(line.startswith("overlay.yaml: stage_a.trails: unknown key; did you mean 'trials'?") for line in found)
    assert any(line.startswith("overlay.yaml: stage_a.seeds:") and "'many'" in line for line in found)
    assert any(line.startswith("overlay.yaml: seed:") for line in found)


def test_an_old_key_is_answered_with_its_new_name_where_the_nearest_key_means_something_else(project: Path) -> None:
    overlay = {"stage_b": {"seeded": 2, "population": 3}}
    Path("overlay.yaml").write_text(yaml.safe_dump(overlay))
    assert sorted(lines(changed(**overlay), ["config/config.yaml", "overlay.yaml"])) == [
        "overlay.yaml: stage_b.population: is called stage_b.population_size now",
        "overlay.yaml: stage_b.seeded: is called stage_b.warm_start now",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"stage_c": {"candidates": 999}}, "stage_c.candidates: 999 is above stage_b.trials"),
        ({"stage_a": {"min_epochs": 99}}, "stage_a.min_epochs: 99 is above training.epochs 4"),
        ({"stage_a": {"gpu_hours": 2}, "training": {"device": "cpu"}}, "stage_a.gpu_hours: needs a GPU"),
        (
            {"stage_c": {"candidates": 1, "ensemble": 5}, "final": {"deliver": "ensemble"}},
            "'ensemble' needs stage_c.ensemble and stage_c.candidates above 1",
        ),
        ({"agents": ["criteria", "criteria"]}, "agents: an agent is listed twice"),
        ({"tfidf": {"ngram_range": [3, 1]}}, "ngram_range"),
        ({"corpus": {"test_fraction": 1.5}}, "corpus.test_fraction"),
        ({"constraints": {"optim.rl": {"low": 1e-5}}}, "optim.rl: unknown parameter; did you mean 'optim.lr'?"),
        ({"constraints": {"optim.lr": {"low": 1e-9}}}, "wider than the space's"),
        ({"constraints": {"optim.lr": {"low": 5e-4, "high": 1e-4}}}, "low 0.0005 is above high 0.0001"),
        ({"constraints": {"optim.lr": {"choices": [1]}}}, "is a range"),
        ({"constraints": {"model.pooling": {"low": 1}}}, "is categorical"),
        ({"constraints": {"optim.accumulation": {"low": 1.5, "high": 3}}}, "whole numbers"),
        (
            {"constraints": {"model.backbone": {"choices": ["minilm", "roberta-bas"]}}},
            "'roberta-bas' is not in the space; did you mean 'roberta-base'?",
        ),
    ],
)
def test_contradictions_are_refused_by_key(project: Path, change: dict, expected: str) -> None:
    assert any(expected in line and line.startswith("--config: ") for line in lines(changed(**change)))
    Path("overlay.yaml").write_text(yaml.safe_dump(change))
    found = lines(changed(**change), ["config/config.yaml", "overlay.yaml"])
    assert any(expected in line and line.startswith("overlay.yaml: ") for line in found)


def test_problems_of_the_configuration_and_of_the_files_it_names_are_reported_together(project: Path) -> None:
    space = read_yaml("config/search_space.yaml")
    space["optim"]["lr"]["low"] = 1.0
    Path("space.yaml").write_text(yaml.safe_dump(space))
    wrong = {"training": {"device": "tpu"}, "stage_c": {"candidates": 99}, "search_space": "space.yaml", "sed": 1}
    found = "\n".join(lines(changed(**wrong)))
    for expected in ("training.device: ", "'tpu'", "candidates: 99 is above", "optim.lr: ", "did you mean 'seed'?"):
        assert expected in found


@pytest.mark.parametrize(
    ("group", "name", "value", "expected"),
    [
        ("optim", "lr", {"type": "float", "low": 3e-3, "high": 1e-6}, "optim.lr: low 0.003 is above high 1e-06"),
        ("optim", "lr", {"type": "float", "low": 0.0, "high": 0.1, "log": True}, "must be above 0 on a log scale"),
        ("optim", "lr", {"type": "float", "low": 1e-5, "high": 7.0}, "optim.lr: 7.0 is not possible"),
        ("head", "layers", {"type": "float", "low": 1.0, "high": 3.0}, "must be of type int"),
        ("head", "layers", {"type": "int", "low": 1, "high": 9}, "9 is not possible"),
        ("head", "dropot", {"type": "float", "low": 0.0, "high": 0.1}, "did you mean 'head.dropout'?"),
        ("model", "pooling", {"type": "categorical", "choices": ["cls", "men"]}, "'men' is not possible"),
        ("model", "pooling", {"type": "categorical", "choices": ["cls", "cls"]}, "listed twice"),
        ("model", "backbone", {"type": "categorical", "choices": ["minilmm"]}, "did you mean 'minilm'?"),
        ("model", "pooling", {"type": "categorial", "choices": ["cls"]}, "model.pooling"),
        (
            "optim",
            "lr",
            {"type": "float", "low": 1e-5, "high": 1e-3, "log": True, "step": 1e-5},
            "cannot be combined",
        ),
    ],
)
def test_a_wrong_space_is_refused_by_name(project: Path, group: str, name: str, value: dict, expected: str) -> None:
    space = read_yaml("config/search_space.yaml")
    space[group][name] = value
    Path("space.yaml").write_text(yaml.safe_dump(space))
    assert any(
        expected in line and line.startswith("space.yaml: ") for line in lines(changed(search_space="space.yaml"))
    )


def test_a_missing_parameter_and_broken_files_are_named(project: Path) -> None:
    space = read_yaml("config/search_space.yaml")
    del space["optim"]["lr"]
    Path("space.yaml").write_text(yaml.safe_dump(space))
    assert any("optim.lr: is missing" in line for line in lines(changed(search_space="space.yaml")))
    Path("broken.yaml").write_text("a: [1,\nb: 2")
    assert lines(changed(search_space="broken.yaml"))[0].startswith("broken.yaml, line 2: not valid YAML")
    assert lines(changed(backbones="none.yaml")) == ["none.yaml: no such file"]
    Path("list.yaml").write_text("- 1")
    assert "expected a mapping" in lines(changed(backbones="list.yaml"))[0]
    Path("latin.yaml").write_bytes(b"a: \xe9")
    assert "is not UTF-8" in lines(changed(backbones="latin.yaml"))[0]


def test_wrong_backbones_are_refused_by_name(project: Path) -> None:
    backbones = read_yaml("config/backbones.yaml") | {
        "a b": {"source": "folder", "path": "x"},
        "y": {"source": "hubb"},
        "url": "https://huggingface.co/owner/name",
        "number": 5,
        "folder": "models/mine",
    }
    Path("models/mine").mkdir(parents=True)
    Path("backbones.yaml").write_text(yaml.safe_dump(backbones))
    found = lines(changed(backbones="backbones.yaml"))
    assert any("a b: a backbone's name may hold" in line for line in found)
    assert any(line.startswith("backbones.yaml: y") and "hub" in line for line in found)
    assert "backbones.yaml: url: 'https://huggingface.co/owner/name' is no model; give OWNER/NAME" in "\n".join(found)
    assert "backbones.yaml: number: 5 is no model" in "\n".join(found)
    assert "backbones.yaml: folder: 'models/mine' is a folder" in "\n".join(found)


def test_scientific_notation_without_a_dot_is_a_number(project: Path) -> None:
    Path("overlay.yaml").write_text("constraints: {optim.lr: {low: 1e-5, high: 1e-4}}")
    settings = load_settings(changed(**read_yaml("overlay.yaml")))
    assert settings.space.parameters["optim.lr"].low == 1e-5


def test_strings_from_snakemakes_command_line_are_converted(project: Path) -> None:
    settings = load_settings(
        changed(stage_a={"trials": "30"}, corpus={"dir": "null"}, tfidf={"ngram_range": ["1", "1"]})
    )
    assert settings.config.stage_a.trials == 30 and settings.config.corpus.dir is None
    assert settings.config.tfidf.ngram_range == (1, 1)


def test_settings_are_the_same_after_saving_and_reading(project: Path) -> None:
    settings = load_settings(changed(**TINY))
    save_settings(settings, "settings.json")
    again = read_settings("settings.json")
    assert again == settings
    assert again.config_hash() == settings.config_hash()
    body = json.loads(Path("settings.json").read_text())
    for change, expected in (
        ({"schema_version": 99}, "schema_version 99 is unknown"),
        ({"kind": "x"}, "is not a settings file"),
        ({"space": 3}, "settings.json: space"),
    ):
        Path("settings.json").write_text(json.dumps(body | change))
        with pytest.raises(UserError, match=expected):
            read_settings("settings.json")


def test_the_schema_for_editors_is_up_to_date() -> None:
    assert json.loads((ROOT / "config/config.schema.json").read_text()) == json_schema(), "run make schema"


def test_an_overlay_that_is_not_json_is_refused() -> None:
    with pytest.raises(UserError, match="--json: not valid JSON"):
        resolve_settings([ROOT / "config/config.yaml"], "{bad")


def test_any_backbone_is_one_line_and_constraints_may_choose_it(project: Path) -> None:
    file = Path("config/backbones.yaml")
    lines = "field: mental/mental-bert-base-uncased\npinned: owner/name@v2\nown: ./folder\n"
    own = project / "backbones.yaml"
    own.write_text(file.read_text() + lines)
    names = ["field", "pinned", "own"]
    more = {"backbones": str(own), "constraints": {"model.backbone": {"choices": names}}}
    found = tiny_settings(**more)
    assert found.space.parameters["model.backbone"].choices == tuple(names)
    sources = [found.backbones[name].model_dump(exclude={"layers", "lowercase", "architecture"}) for name in names]
    assert sources == [
        {"source": "hub", "repo": "mental/mental-bert-base-uncased", "revision": "main"},
        {"source": "hub", "repo": "owner/name", "revision": "v2"},
        {"source": "folder", "path": "folder"},
    ]
    more["constraints"] = {"model.backbone": {"choices": ["feild"]}}
    with pytest.raises(UserError, match="'feild' is not in the space; did you mean 'field'"):
        tiny_settings(**more)
