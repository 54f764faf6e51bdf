"""Predictions of a saved model on new posts."""

from pathlib import Path

import pytest
from support.planted import CRITERIA, train_and_save

from lib.evaluation.prediction import predict_posts


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backbones")


def test_predictions_point_into_the_post(backbones: Path, tmp_path: Path) -> None:
    post = "we went home . there was an apple . an unheard-of zebra, 123 !"
    for agent in ("criteria", "evidence", "share"):
        _, _, model = train_and_save(backbones, tmp_path / agent, agent, **{"null_policy.name": "none"})
        found = predict_posts(model, [("p", post), ("empty", " ")], list(CRITERIA))
        assert all(row.text == post[max(row.start, 0) : max(row.end, 0)] for row in found.itertuples())
        assert agent == "criteria" or (found["start"] >= 0).sum() == 2, "without a policy there always is an answer"
        assert found["probability"].between(0, 1).all()
        per_post = len(found[found["post_id"] == "p"])
        assert per_post == (3 * 2 if agent == "criteria" else 2)
