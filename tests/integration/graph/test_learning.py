"""Agents learn the planted corpus from the criterion and the text, and learn nothing from shuffled labels."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.checkouts import ROOT
from support.planted import CRITERIA, corpus, prepare_training
from support.tiny import tiny_settings
from support.training import CPU
from torch import nn

from lib.agents import AGENTS, agent_space
from lib.agents.agent import Predictions
from lib.agents.posts import PostAgent
from lib.metrics.objective import Objective
from lib.modeling.backbones import Backbones
from lib.modeling.models import PairModel
from lib.tasks.examples import WeightedSample
from lib.tasks.label import LabelTask
from lib.tasks.task import Index
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train
from lib.training.features import make_features
from lib.training.inference import predict_logits

pytestmark = pytest.mark.no_cover  # the same code runs for the tests of the stages
POSTS, EPOCHS = 200, 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module", params=AGENTS)
def trained(request: pytest.FixtureRequest, folder: Path) -> tuple[nn.Module, TrainingData, float]:
    """An agent trained on the planted corpus, and its F1 on validation posts."""
    model, training_data = prepare_training(folder, request.param, corpus(POSTS))
    outcome = train(
        model,
        training_data,
        CPU,
        TrainingOptions(epochs=EPOCHS, patience=EPOCHS, keep_best=True, on_epoch=lambda _, best: best >= 0.97),
        seed=0,
    )
    return model, training_data, outcome.scores["objective"]


def predict(model: nn.Module, training_data: TrainingData, index: Index) -> Predictions:
    """Predict by neutral rules: fitted ones belong to the criterion that was swapped."""
    agent, examples = training_data.agent, training_data.examples
    logits = predict_logits(model, agent, training_data.features, index, training_data.hyper, CPU)
    rules = agent.neutral_rules(list(CRITERIA))
    return agent.decide(logits, agent.rule_values(rules, examples, index), training_data.hyper)


def test_an_agent_learns_the_planted_corpus(trained: tuple[nn.Module, TrainingData, float]) -> None:
    assert trained[2] >= 0.95


def test_swapping_the_criterion_changes_the_answer(
    trained: tuple[nn.Module, TrainingData, float], folder: Path
) -> None:
    """Give each text the other criterion. If exactly one criterion is met, the answer must flip."""
    model, training_data, _ = trained
    examples, texts = training_data.examples, list(CRITERIA.values())
    other = replace(examples, criterion_text=[texts[1 - texts.index(text)] for text in examples.criterion_text])
    features = make_features(training_data.agent, other, training_data.hyper, Backbones(folder), folder / "cache")
    assert all(
        np.array_equal(a.vocabulary, b.vocabulary)
        for a, b in zip(features.tokens, training_data.features.tokens, strict=True)
    )
    swapped = replace(training_data, examples=other, features=features)
    evidence = {"FRUIT": "apple", "WEATHER": "storm"}
    words = [[name for name, word in evidence.items() if word in text] for text in examples.text]
    one = np.array([i for i in training_data.validation.index if len(words[i]) == 1])
    before, after = predict(model, training_data, one), predict(model, swapped, one)
    for task in training_data.agent.tasks:
        truth = np.array([words[i] == [examples.criterion[i]] for i in one])
        assert (before[task.name].yes == truth).mean() > 0.9
        assert (after[task.name].yes == ~truth).mean() > 0.9
    if "span" not in before:
        return
    both = np.array([i for i in training_data.validation.index if len(words[i]) == 2])
    for asked, given in (
        (training_data, predict(model, training_data, both)),
        (swapped, predict(model, swapped, both)),
    ):
        found = [
            evidence["FRUIT" if asked.examples.criterion_text[i] == CRITERIA["FRUIT"] else "WEATHER"]
            in asked.examples.text[i][slice(*spans[0][:2])]
            for i, spans in zip(both, given["span"].candidates, strict=True)
        ]
        assert np.mean(found) > 0.9


@pytest.mark.parametrize("name", ["criteria", "share"])  # share has both tasks
def test_shuffled_labels_give_chance_scores_on_new_posts(name: str, folder: Path) -> None:
    development = corpus(POSTS)
    rows = development.annotations
    known = (rows["post_id"] < f"p{int(0.75 * POSTS):04d}").to_numpy()
    status = rows["status"].to_numpy().copy()
    status[known] = np.random.default_rng(0).permutation(status[known])
    model, training_data = prepare_training(
        folder, name, replace(development, annotations=rows.assign(status=status))
    )
    training_data = replace(training_data, objective=Objective(metric="f1_yes_no", population="annotated"))
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=12, patience=12), seed=0)
    assert np.mean([entry["objective"] for entry in outcome.history[-6:]]) < 0.68


@pytest.mark.parametrize("name", ["criteria", "share"])
def test_an_agent_overfits_32_examples(name: str, folder: Path) -> None:
    model, training_data = prepare_training(folder, name, corpus(60), **{"optim.batch_size": 8, "optim.lr": 3e-3})
    few = training_data.train[:32]
    assert 0.2 < training_data.examples.label[few].mean() < 0.8
    few_only = replace(training_data, train=few, validation=WeightedSample.uniform(few))
    outcome = train(
        model, few_only, CPU, TrainingOptions(epochs=120, patience=120, on_epoch=lambda _, best: best >= 0.95), seed=0
    )
    assert outcome.scores["objective"] >= 0.95


def test_the_example_agent_of_the_docs_trains(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs/agents.md").read_text(), re.DOTALL)
    assert block is not None
    names: dict[str, object] = {"PostAgent": PostAgent, "LabelTask": LabelTask, "PairModel": PairModel}
    exec(block.group(1), names)
    monkeypatch.setattr("support.planted.get_agent", lambda _: names["AGENT"])
    model, training_data = prepare_training(folder, "triage", corpus(40))
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=2, patience=2), seed=0)
    assert outcome.scores["confusion"] and len(outcome.history) == 2
    assert agent_space(space := tiny_settings().space, "triage") == space
