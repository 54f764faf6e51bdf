"""Agents run on every architecture, fit rules across posts, and score two populations."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy.special import expit
from support.planted import CRITERIA, PLANTED_PARAMS, corpus, prepare_training
from support.tiny import params
from support.training import CPU

from lib.agents import AGENTS, POST_AGENTS, agent_space, get_agent, unused_parameters
from lib.metrics.objective import Objective
from lib.settings.config import Architecture
from lib.settings.hyperparameters import Hyperparameters, NullPolicy, Pooling
from lib.settings.load import load_settings, merge, read_yaml
from lib.tasks.examples import WeightedSample
from lib.training.engine import TrainingOptions, train
from lib.training.inference import predict_logits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


def test_the_names_of_agents_that_read_posts_are_known_without_torch() -> None:
    assert tuple(name for name in AGENTS if get_agent(name).reads_posts) == POST_AGENTS


@pytest.mark.no_cover
@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_an_agent_runs_on_every_architecture_and_packing_changes_nothing(
    name: str, architecture: Architecture, folder: Path
) -> None:
    development = corpus(12)
    for pooling in get_args(Pooling):
        model, training_data = prepare_training(
            folder, name, development, first=architecture, second="roberta", **{"model.pooling": pooling}
        )
        index = np.arange(5)
        together = predict_logits(model, training_data.agent, training_data.features, index, training_data.hyper, CPU)
        alone = [
            predict_logits(
                model, training_data.agent, training_data.features, np.array([i]), training_data.hyper, CPU
            )
            for i in index
        ]
        for task in training_data.agent.tasks:
            rows = [together[task.name]] + [logits[task.name] for logits in alone]
            chances = [expit(task.log_odds(row)) for row in rows]
            # transformers' ConvBERT convolves over padding.
            tolerance = 0.1 if architecture == "convbert" else 1e-4
            assert np.allclose(chances[0], np.concatenate(chances[1:]), atol=tolerance), pooling
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)
    assert 0 <= outcome.scores["objective"] <= 1 and np.isfinite(outcome.history[0]["loss"])


@pytest.mark.parametrize(("name", "dimensions"), [("criteria", 45), ("evidence", 46), ("share", 48), ("joint", 51)])
def test_an_agent_searches_only_what_it_uses(name: str, dimensions: int, folder: Path) -> None:
    space = load_settings(merge(read_yaml("config/config.yaml"), read_yaml("config/supermax.yaml"))).space
    assert sum(p.varies for p in space.parameters.values()) == 51
    assert sum(p.varies for p in agent_space(space, name).parameters.values()) == dimensions
    other = {
        "data.overlap": 0.5,
        "loss.span_weight": 0.9,
        "span.max_answer": 90,
        "joint.fusion": "concat",
        "joint.dropout": 0.4,
        "model.pooling": "attention",
    }
    changed = {parameter: value for parameter, value in other.items() if parameter in unused_parameters(name)}
    second = "electra" if "joint.backbone" in unused_parameters(name) else "roberta"
    found = []
    for backbone, more in (("roberta", {}), (second, changed)):
        model, training_data = prepare_training(folder, name, corpus(12), second=backbone, **more)
        found.append(train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0))
    assert found[0].history == found[1].history and found[0].scores == found[1].scores
    assert set(changed) | {"joint.backbone"} >= unused_parameters(name)
    warm = agent_space(space, name).adapted(params(**other))
    assert not warm.keys() & unused_parameters(name)


def test_policies_that_decide_the_same_are_tried_once() -> None:
    every = get_args(NullPolicy)
    assert get_agent("criteria").distinct_policies(every) == ("none", "threshold")
    assert get_agent("criteria").distinct_policies(("ratio", "threshold")) == ("ratio",)
    assert all(get_agent(name).distinct_policies(every) == every for name in POST_AGENTS)


def test_rules_are_fitted_on_other_posts() -> None:
    """One half of the posts has overconfident log odds. Each half uses the rule fitted on the other half."""
    agent = get_agent("criteria")
    examples = agent.examples(corpus(40))
    sample = WeightedSample.uniform(np.arange(len(examples)))
    half = examples.group % 2
    noise = np.random.default_rng(0).normal(0, 1, len(examples))
    odds = (2.0 * examples.label - 1 + noise) * np.where(half == 0, 10, 1)
    hyper = Hyperparameters.of(params(**PLANTED_PARAMS))
    crossed = agent.cross_fit({"label": odds}, examples, sample, hyper)["label"]
    hot, cool = (
        agent.fit_rules(
            {"label": odds[half == own]},
            examples,
            WeightedSample.uniform(np.flatnonzero(half == own)),
            hyper,
        )["label"]
        for own in (0, 1)
    )
    for name in set(examples.criterion):
        own = np.array(examples.criterion) == name
        assert hot.temperature[name] > 3 * cool.temperature[name]
        assert crossed.temperature[own] == pytest.approx(
            np.where(half == 0, cool.temperature[name], hot.temperature[name])[own]
        )
        assert crossed.threshold[own] == pytest.approx(
            np.where(half == 0, cool.threshold[name], hot.threshold[name])[own]
        )


def test_two_populations_are_scored_apart() -> None:
    """A model that predicts yes for half of the unannotated pairs is good on annotated pairs and bad in use."""
    agent = get_agent("criteria")
    examples = agent.examples(replace(corpus(40), unannotated_are_negative=True))
    sample = WeightedSample.uniform(np.arange(len(examples)))
    careless = np.random.default_rng(0).random(len(examples)) < 0.5
    known = examples.annotated | (examples.label == 1)
    odds = np.where(known, 8.0 * examples.label - 4, np.where(careless, 4.0, -4.0))
    hyper = Hyperparameters.of(params(**PLANTED_PARAMS))
    values = agent.rule_values(agent.neutral_rules(list(CRITERIA)), examples, sample.index)
    scores = agent.scores({"label": odds}, values, examples, sample, hyper)
    assert scores["population"] == "natural" and scores["annotated"]["f1_yes_no"] == 1
    assert scores["precision"] < 0.4 and scores["sensitivity"] == 1
    assert Objective().values(scores)[0] < 0.6
    assert Objective(metric="f1_yes_no", population="annotated").values(scores)[0] == 1


def test_without_a_positive_two_tasks_have_no_skill() -> None:
    """The scores stay defined as none, so that a search can go on."""
    agent = get_agent("share")
    examples = agent.examples(replace(corpus(20), unannotated_are_negative=True))
    sample = WeightedSample.uniform(np.flatnonzero(examples.label == 0))
    logits = agent.logits_from_log_odds([[((0, 3), -1.0)] for _ in sample.index])
    values = agent.rule_values(agent.neutral_rules(list(CRITERIA)), examples, sample.index)
    scores = agent.scores(logits, values, examples, sample, Hyperparameters.of(params(**PLANTED_PARAMS)))
    assert scores["brier_skill"] is None and Objective().values(scores) == (0.0, 1.0)


def test_a_criterion_that_does_not_count_is_left_out_of_the_scores() -> None:
    agent = get_agent("criteria")
    examples = agent.examples(replace(corpus(20), excluded=("FRUIT",)))
    sample = WeightedSample.uniform(np.arange(len(examples)))
    values = agent.rule_values(agent.neutral_rules(list(CRITERIA)), examples, sample.index)
    hyper = Hyperparameters.of(params(**PLANTED_PARAMS))
    scores = agent.scores({"label": np.zeros(len(examples))}, values, examples, sample, hyper)
    assert list(scores["per_criterion"]) == ["WEATHER"] and "FRUIT" in examples.criterion
    assert set(examples.scored().criterion) == {"WEATHER"}
