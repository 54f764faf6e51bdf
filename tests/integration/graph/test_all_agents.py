"""Every agent runs through every stage by the same commands."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.tiny import agent_commands, change_settings

from lib.agents import AGENTS, get_agent
from lib.cli.main import main
from lib.corpus.store import load_development
from lib.metrics.spans import best_over_gold_answers
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import WeightedSample


@pytest.mark.no_cover
@pytest.mark.parametrize("agent", AGENTS[1:])
def test_a_post_agent_runs_through_all_stages(agent: str, copy_of_finished: Path) -> None:
    small = {"trials": 2, "seeds": 1}
    candidates = 2 if agent == "joint" else 1  # so one agent averages candidates, and it has both kinds of tasks
    change_settings(
        stage_a=small,
        stage_b=small,
        training={"epochs": 1},
        stage_c={"candidates": candidates, "ensemble": candidates},
        baseline={"seeds": 1},
    )
    for command in agent_commands(agent, candidates):
        assert main(command.split()) == 0, command
    result = json.loads(Path(f"results/{agent}/stage_c.json").read_text())
    names = [task.name for task in get_agent(agent).tasks]
    scores = result["ranking"][0]["scores"]
    parts = [scores[name] for name in names] if len(names) > 1 else [scores]
    for each in parts:
        assert {"f1_macro", "ece", "auroc", "log_loss", "confusion", "per_criterion"} <= set(each)
    span = scores["span"] if len(names) > 1 else scores
    assert 0 <= span["no_answer"] <= 1 and 0 <= span["has_answer"] <= 1 and 0 < span["prevalence"] < 0.5
    assert scores["population"] == "natural" and scores["annotated"]["f1_macro"] >= 0
    if len(names) > 1:
        assert scores["f1_macro"] == pytest.approx(sum(part["f1_macro"] for part in parts) / 2)
    assert len(result["baseline"]["objective"]["folds"]) == 2

    # The fold's answers, put back into the posts, give the fold's scores.
    fold = json.loads(Path(f"results/{agent}/stage_c/0-0.json").read_text())
    posts = pd.read_parquet("results/corpus/posts.parquet").set_index("post_id")["text"]
    rows = pd.read_parquet("results/corpus/annotations.parquet").query("status == 1")
    values: dict[str, list[float]] = {}
    golds_of: dict[str, list[str]] = {}
    reader, hyper = get_agent(agent), Hyperparameters.of(fold["params"])
    examples = reader.examples(load_development(Path("results/corpus")))
    logits, sample = reader.load_logits(fold["logits"]), WeightedSample.uniform(examples.indices_of(fold["examples"]))
    answers = reader.decide(logits, reader.cross_fit(logits, examples, sample, hyper), hyper)["span"]
    for example, spans, yes in zip(fold["examples"], answers.candidates, answers.yes, strict=True):
        post, criterion = example.split(" ")
        mine = rows[(rows["post_id"] == post) & (rows["criterion"] == criterion)]
        golds = [posts[post][start:end] for start, end in zip(mine["start"], mine["end"], strict=True)]
        assert golds == mine["sentence"].tolist()
        golds_of[example] = golds
        answer = posts[post][slice(*spans[0][:2])] if yes else ""
        values.setdefault(criterion, []).append(best_over_gold_answers(golds, answer)[0])
    positive = {example.split(" ")[1] for example in fold["examples"] if golds_of[example]}
    means = [sum(f1s) / len(f1s) for criterion, f1s in values.items() if criterion in positive]
    expected = sum(means) / len(means)
    span = fold["scores"]["span"] if len(names) > 1 else fold["scores"]
    assert span["token_f1"] == pytest.approx(expected)
    assert str(posts.iloc[0])[:40] not in json.dumps(fold)
