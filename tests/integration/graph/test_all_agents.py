"""Every agent runs through every stage by the same commands."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.tiny import agent_commands

from lib.agents import AGENTS, get_agent
from lib.cli.main import main
from lib.metrics.spans import best_over_golds
from lib.settings.load import read_settings, save_settings


@pytest.mark.parametrize("agent", AGENTS[1:])
def test_a_post_agent_runs_through_all_stages(agent: str, copy_of_finished: Path) -> None:
    settings = read_settings("results/settings.json")
    small = {"trials": 3, "epochs": 2, "seeds": 1}
    config = settings.config.model_copy(
        update={
            "stage_a": settings.config.stage_a.model_copy(update=small),
            "stage_b": settings.config.stage_b.model_copy(update=small | {"epochs": 1}),
        }
    )
    save_settings(settings.model_copy(update={"config": config}), "results/settings.json")
    for command in agent_commands(agent):
        assert main(command.split()) == 0, command
    result = json.loads(Path(f"results/{agent}/stage_c.json").read_text())
    names = [task.name for task in get_agent(agent).tasks]
    scores = result["ranking"][0]["scores"]
    parts = [scores[name] for name in names] if len(names) > 1 else [scores]
    for each in parts:
        assert {"f1_macro", "ece", "auroc", "log_loss", "confusion", "per_criterion"} <= set(each)
    span = scores["span"] if len(names) > 1 else scores
    assert 0 <= span["no_answer"]["predicted"] <= 1 and 0 < span["no_answer"]["true"] < 1
    if len(names) > 1:
        assert scores["f1_macro"] == pytest.approx(sum(part["f1_macro"] for part in parts) / 2)
    assert len(result["baseline"]["f1_macro"]["folds"]) == 2

    # The fold's answers, put back into the posts, give the fold's scores.
    fold = json.loads(Path(f"results/{agent}/stage_c/0-0.json").read_text())
    posts = pd.read_parquet("results/corpus/posts.parquet").set_index("post_id")["text"]
    rows = pd.read_parquet("results/corpus/annotations.parquet").query("status == 1")
    values: dict[str, list[float]] = {}
    for example, spans, yes in zip(
        fold["examples"], fold["answers"]["span"]["candidates"], fold["answers"]["span"]["yes"], strict=True
    ):
        post, criterion = example.split(" ")
        mine = rows[(rows["post_id"] == post) & (rows["criterion"] == criterion)]
        golds = [posts[post][start:end] for start, end in zip(mine["start"], mine["end"], strict=True)]
        assert golds == mine["sentence"].tolist()
        answer = posts[post][slice(*spans[0][:2])] if yes else ""
        values.setdefault(criterion, []).append(best_over_golds(golds, answer)[0])
    expected = sum(sum(f1s) / len(f1s) for f1s in values.values()) / len(values)
    span = fold["scores"]["span"] if len(names) > 1 else fold["scores"]
    assert span["f1_macro"] == pytest.approx(expected)
    assert str(posts.iloc[0])[:40] not in json.dumps(fold)
