"""A saved model gives the numbers of the trained one, and has the full vocabulary."""

import json
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from support.planted import train_and_save
from support.training import CPU

from lib.agents import AGENTS
from lib.errors import UserError
from lib.evaluation.saved_model import WEIGHTS, SavedModel
from lib.modeling.backbones import Backbones
from lib.schemas.evaluation import ModelManifest
from lib.settings.config import Architecture
from lib.training.inference import predict_logits


@pytest.fixture(scope="module")
def backbones(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backbones")


def flat(logits: dict) -> list[float]:
    found: list[float] = []
    for value in logits.values():
        found += value.tolist() if isinstance(value, np.ndarray) else [s for spans in value for _, _, s in spans]
    return found


@pytest.mark.no_cover
@pytest.mark.parametrize("agent", AGENTS)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_saved_model_gives_the_logits_of_the_trained_one(
    agent: str, architecture: Architecture, backbones: Path, tmp_path: Path
) -> None:
    if agent == "share":
        pytest.skip("made of what criteria and evidence are made of")
    model, training_data, again = train_and_save(backbones, tmp_path, agent, first=architecture, second="electra")
    index = np.arange(len(training_data.examples))
    assert flat(again.logits(training_data.examples)) == pytest.approx(
        flat(predict_logits(model, training_data.agent, training_data.features, index, training_data.hyper, CPU)),
        abs=1e-4,
    )


@pytest.mark.parametrize("agent", ["evidence", "joint"])
def test_an_ensemble_of_averages_predicts_after_it_was_written_as_before(
    agent: str, backbones: Path, tmp_path: Path
) -> None:
    """Its first candidate counts twice, and is itself the average of two trainings."""
    one, other = (
        train_and_save(backbones, tmp_path / first, agent, first=first, second=first)[1:]
        for first in ("bert", "electra")
    )
    data, (first, second) = one[0], (one[1], other[1])
    both = first.manifest.model_copy(update={"members": ("training-1", "training-2")})
    candidate = SavedModel.average(both, [first, second])
    folders = ("candidate-0", "candidate-0", "candidate-1")
    ensemble = SavedModel.average(both.model_copy(update={"members": folders}), [candidate, candidate, second])
    ensemble.write(tmp_path / "written")
    again = SavedModel.load(tmp_path / "written", CPU)
    assert flat(again.logits(data.examples)) == pytest.approx(flat(ensemble.logits(data.examples)))
    every, task = np.arange(len(data.examples)), again.agent.tasks[-1].name

    def probability(member: SavedModel) -> np.ndarray:
        values = again.agent.rule_values(member.rules, data.examples, every)
        return again.agent.decide(member.logits(data.examples), values, member.hyper)[task].yes_probability

    twice, once = (probability(member) for member in (again.members[0], again.members[2]))
    # Only the ten best spans of each average are kept.
    assert probability(again) == pytest.approx((2 * twice + once) / 3, abs=1e-2)


def test_new_words_keep_their_pretrained_vectors(backbones: Path, tmp_path: Path) -> None:
    _, training_data, again = train_and_save(backbones, tmp_path, "criteria", first="bert")
    backbone = Backbones(backbones)
    known = training_data.features.tokens[0].vocabulary
    whole = backbone._model("bert").get_input_embeddings().weight
    mine = again._network.model.encoder.get_input_embeddings().weight
    others = np.setdiff1d(np.arange(len(whole)), known)
    assert len(others) and whole.shape == mine.shape
    assert torch.equal(mine[others], whole[others]) and not torch.equal(mine[known], whole[known])


def test_a_folder_without_a_valid_model_is_refused(backbones: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no model"):
        SavedModel.load(tmp_path, CPU)
    train_and_save(backbones, tmp_path, "criteria")
    assert (tmp_path / WEIGHTS).exists()
    body = json.loads((tmp_path / ModelManifest.FILE).read_text()) | {"schema_version": 99}
    (tmp_path / ModelManifest.FILE).write_text(json.dumps(body))
    with pytest.raises(UserError, match="schema_version 99"):
        SavedModel.load(tmp_path, CPU)


def test_a_model_predicts_in_the_precision_in_which_it_was_judged(backbones: Path, tmp_path: Path) -> None:
    _, training_data, again = train_and_save(backbones, tmp_path, "criteria")
    fast = replace(CPU, bf16=True)
    examples = training_data.examples
    for device, equal in (("cpu fp32", True), ("cpu bf16", False)):
        made = again.manifest.provenance.model_copy(update={"device": device})
        again.manifest.model_copy(update={"provenance": made}).write(tmp_path / ModelManifest.FILE)
        logits = SavedModel.load(tmp_path, fast).logits(examples)
        assert (flat(logits) == flat(again.logits(examples))) == equal
