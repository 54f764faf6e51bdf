"""Agents run on every architecture, and fit calibration temperatures across posts."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy.special import expit
from support.planted import PLANTED_PARAMS, corpus, prepare_training
from support.tiny import params
from support.training import CPU

from lib.agents import AGENTS, get_agent
from lib.settings.config import Architecture
from lib.settings.hyperparameters import Hyperparameters, Pooling
from lib.training.engine import TrainingOptions, train
from lib.training.inference import predict_logits


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


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
            chances = [task.decide(row, np.ones(len(row)), training_data.hyper).yes_probability for row in rows]
            # transformers' ConvBERT convolves over padding.
            tolerance = 0.1 if architecture == "convbert" else 1e-4
            assert np.allclose(chances[0], np.concatenate(chances[1:]), atol=tolerance), pooling
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)
    assert 0 <= outcome.scores["f1_macro"] <= 1 and np.isfinite(outcome.history[0]["loss"])


def test_a_temperature_is_fitted_on_other_posts() -> None:
    """One half of the posts has overconfident log-odds. Each half uses the temperature fitted on the other half."""
    agent = get_agent("criteria")
    examples = agent.examples(corpus(40), unannotated=0.0, seed=0)
    index = np.arange(len(examples))
    order = {post: place for place, post in enumerate(sorted(set(examples.post_id)))}
    half = np.array([order[post] % 2 for post in examples.post_id])
    noise = np.random.default_rng(0).normal(0, 1, len(index))
    odds = (2.0 * examples.label - 1 + noise) * np.where(half == 0, 10, 1)
    hyper = Hyperparameters.of(params(**PLANTED_PARAMS | {"null_policy.name": "calibrated"}))
    crossed = agent.decide({"label": odds}, examples, index, hyper)["label"].probability
    hot = agent.tasks[0].fit_temperature(odds[half == 0], examples, index[half == 0])
    cool = agent.tasks[0].fit_temperature(odds[half == 1], examples, index[half == 1])
    assert hot > 3 * cool
    assert np.allclose(crossed, expit(odds / np.where(half == 0, cool, hot)))
    fixed = agent.decide({"label": odds}, examples, index, hyper, {"label": hot})
    assert np.allclose(fixed["label"].probability, expit(odds / hot))
