"""Predictions of a saved model on new posts."""

from pathlib import Path

import pytest
from support.planted import CRITERIA, corpus, prepare_training
from support.tiny import empty_provenance
from support.training import CPU

from lib.evaluation.prediction import predict_posts
from lib.evaluation.saved_model import SavedModel, save_model
from lib.modeling.backbones import Backbones
from lib.schemas.evaluation import ModelManifest
from lib.training.engine import TrainingOptions, train


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backbones")


def saved(folder: Path, at: Path, agent: str, epochs: int = 1, **more: object):
    """Train a model, save it, and return it in memory and as loaded from disk."""
    model, training_data = prepare_training(folder, agent, corpus(40), **more)
    train(model, training_data, CPU, TrainingOptions(epochs=epochs, patience=9), seed=0)
    manifest = ModelManifest(
        provenance=empty_provenance(),
        agent=agent,
        params=training_data.hyper.params(),
        temperatures={task.name: 1.0 for task in training_data.agent.tasks},
        criteria=CRITERIA,
        trained={"epochs": epochs, "of": epochs, "examples": 1, "posts": 1},
        performance={},
    )
    save_model(at, manifest, model, training_data.features, Backbones(folder))
    return model, training_data, SavedModel.load(at, CPU)


def test_predictions_point_into_the_post(backbones: Path, tmp_path: Path) -> None:
    post = "we went home . there was an apple . an unheard-of zebra, 123 !"
    for agent in ("criteria", "evidence", "share"):
        _, _, model = saved(backbones, tmp_path / agent, agent, **{"null_policy.name": "none"})
        found = predict_posts(model, [("p", post), ("empty", " ")], list(CRITERIA))
        assert all(row.text == post[max(row.start, 0) : max(row.end, 0)] for row in found.itertuples())
        assert agent == "criteria" or (found["start"] >= 0).sum() == 2, "without a policy there always is an answer"
        assert found["probability"].between(0, 1).all()
        per_post = len(found[found["post_id"] == "p"])
        assert per_post == (3 * 2 if agent == "criteria" else 2)
