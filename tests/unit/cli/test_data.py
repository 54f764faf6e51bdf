import json
from pathlib import Path

import pandas as pd
import pytest
from support.tiny import TINY, change_settings, tiny_settings

from lib.agents import get_agent
from lib.cli.main import main
from lib.errors import UserError
from lib.settings.load import save_settings


def test_unknown_names_are_refused_with_a_suggestion(copy_of_prepared: Path, capsys) -> None:
    with pytest.raises(UserError, match="agent 'criterias' is unknown; did you mean 'criteria'"):
        get_agent("criterias")
    assert main(["backbone", "tiny-brt"]) == 1
    assert "backbone 'tiny-brt' is unknown; did you mean 'tiny-bert'?" in capsys.readouterr().err


def test_a_hub_backbone_can_have_random_weights_in_its_own_size(copy_of_prepared: Path, capsys) -> None:
    save_settings(
        tiny_settings(constraints={"model.backbone": {"choices": ["distilbert-base-uncased", "minilm"]}}),
        "results/settings.json",
    )
    assert main(["backbone", "distilbert-base-uncased", "--random-init"]) == 0
    made = json.loads(Path("results/backbones/distilbert-base-uncased/backbone.json").read_text())
    assert made["parameters"] > 43_000_000 and made["resolved"].startswith("random weights of base size")
    assert made["source"] == {"source": "random", "architecture": "distilbert"}
    assert main(["backbone", "minilm", "--random-init"]) == 1
    assert "--random-init needs its 'architecture' in the backbones file" in capsys.readouterr().err


def test_settings_and_schema_are_written(project: Path) -> None:
    overlay = json.dumps({"seed": 7})
    assert main(["settings", "--config", "config/config.yaml", "--json", overlay, "--output", "s.json"]) == 0
    assert json.loads(Path("s.json").read_text())["config"]["seed"] == 7
    assert main(["schema", "--output", "schema.json"]) == 0


def test_the_report_says_that_the_corpus_is_generated_and_holds_no_text(prepared: Path) -> None:
    report = (prepared / "results/corpus/report.md").read_text()
    assert "**This corpus is generated.**" in report
    posts = (prepared / "results/generated/annotations.csv").read_text().splitlines()[1:]
    assert not any(row.split(",")[2][:40] in report for row in posts)


def test_the_report_names_criteria_without_an_annotation(copy_of_prepared: Path) -> None:
    path = Path("results/generated/annotations.csv")
    rows = pd.read_csv(path)
    rows[rows["DSM5_symptom"] != "PSYCHOMOTOR"].to_csv(path, index=False)
    assert main(["corpus", "--input", "results/generated"]) == 0
    report = Path("results/corpus/report.md").read_text()
    assert "Criteria without an annotation are not learned, scored or predicted: PSYCHOMOTOR" in report


@pytest.mark.parametrize("share", [0.35, 0.5])
def test_a_corpus_can_be_a_share_of_the_posts(copy_of_prepared: Path, share: float) -> None:
    change_settings(corpus={"share": share})
    assert main(["corpus", "--input", "results/generated"]) == 0
    counts = json.loads(Path("results/corpus/corpus.json").read_text())["posts"]
    assert sum(counts.values()) == round(TINY["generator"]["posts"] * share)
