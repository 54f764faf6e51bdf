"""A saved model is the trained one, and knows every word."""

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from planted import CPU, CRITERIA, corpus, teach

from lib.agents import AGENTS
from lib.errors import UserError
from lib.files.documents import now, provenance
from lib.final.predicting import predictions
from lib.final.saved import MANIFEST, WEIGHTS, ModelManifest, SavedModel, save_model
from lib.modeling.backbones import Backbones
from lib.settings.config import Architecture
from lib.training.engine import train
from lib.training.prediction import predict


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backbones")


def saved(folder: Path, at: Path, agent: str, epochs: int = 1, **more: object):
    """A model that learnt for an epoch, in memory and read back from disk."""
    model, lesson = teach(folder, agent, corpus(40), **more)
    train(model, lesson, CPU, epochs=epochs, patience=9, seed=0)
    manifest = ModelManifest(
        provenance=provenance(config_hash="", corpus_hash="", seed=0, device="cpu", started=now()),
        agent=agent,
        params=lesson.hyper.params(),
        temperatures={task.name: 1.0 for task in lesson.agent.tasks},
        criteria=CRITERIA,
        trained={"epochs": epochs, "of": epochs, "examples": 1, "posts": 1},
        performance={},
    )
    save_model(at, manifest, model, lesson.features, Backbones(folder))
    return model, lesson, SavedModel.load(at, CPU)


def flat(reading: dict) -> list[float]:
    found: list[float] = []
    for value in reading.values():
        found += value.tolist() if isinstance(value, np.ndarray) else [s for spans in value for _, _, s in spans]
    return found


@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_saved_model_reads_as_the_trained_one(
    agent: str, architecture: Architecture, backbones: Path, tmp_path: Path
) -> None:
    if agent == "share":
        pytest.skip("made of what criteria and evidence are made of")
    model, lesson, again = saved(backbones, tmp_path, agent, first=architecture, second="electra")
    index = np.arange(len(lesson.examples))
    assert flat(again.read(lesson.examples)) == pytest.approx(flat(predict(model, lesson, index, CPU)), abs=1e-4)


def test_new_words_keep_their_pretrained_vectors(backbones: Path, tmp_path: Path) -> None:
    _, lesson, again = saved(backbones, tmp_path, "criteria", first="bert")
    backbone = Backbones(backbones)
    known = lesson.features.tokens[0].vocabulary
    whole = backbone._model("bert").get_input_embeddings().weight
    mine = again._model.encoder.get_input_embeddings().weight
    others = np.setdiff1d(np.arange(len(whole)), known)
    assert len(others) and whole.shape == mine.shape
    assert torch.equal(mine[others], whole[others]) and not torch.equal(mine[known], whole[known])


def test_predictions_point_into_the_post(backbones: Path, tmp_path: Path) -> None:
    post = "we went home . there was an apple . an unheard-of zebra, 123 !"
    for agent in ("criteria", "evidence", "share"):
        _, _, model = saved(backbones, tmp_path / agent, agent, **{"null_policy.name": "none"})
        found = predictions(model, [("p", post), ("empty", " ")], list(CRITERIA))
        assert all(row.text == post[max(row.start, 0) : max(row.end, 0)] for row in found.itertuples())
        assert agent == "criteria" or (found["start"] >= 0).sum() == 2, "without a policy there always is an answer"
        assert found["probability"].between(0, 1).all()
        per_post = len(found[found["post_id"] == "p"])
        assert per_post == (3 * 2 if agent == "criteria" else 2)


def test_a_folder_without_a_model_is_a_line(backbones: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        SavedModel.load(tmp_path, CPU)
    saved(backbones, tmp_path, "criteria")
    assert (tmp_path / WEIGHTS).exists()
    body = json.loads((tmp_path / MANIFEST).read_text()) | {"schema_version": 99}
    (tmp_path / MANIFEST).write_text(json.dumps(body))
    with pytest.raises(UserError, match="schema_version 99"):
        SavedModel.load(tmp_path, CPU)
