"""The joint agent passes the criteria vector to the evidence encoder."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from support.planted import corpus, prepare_training

from lib.settings.config import Architecture
from lib.settings.hyperparameters import Fusion


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.mark.parametrize("fusion", get_args(Fusion))
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_fusion_carries_the_criteria_vector_into_the_evidence(
    fusion: Fusion, architecture: Architecture, folder: Path
) -> None:
    """The two encoders have different tokenizers. A change of the criteria vector changes the span logits."""
    second: Architecture = "bert" if architecture in ("roberta", "modernbert") else "roberta"
    model, training_data = prepare_training(
        folder, "joint", corpus(12), first=architecture, second=second, **{"joint.fusion": fusion}
    )
    own, other = training_data.features.tokens
    assert len(own.vocabulary) != len(other.vocabulary) and len(own.pair) == len(other.pair)
    inputs, _, _ = training_data.features.batch(np.arange(4))
    model.eval()
    with torch.no_grad():
        before = model(*inputs)
        model.align[0].bias += torch.linspace(-1, 1, len(model.align[0].bias))
        after = model(*inputs)
    assert before["start"].shape == inputs[0]["input_ids"].shape and before["label"].shape == (4, 2)
    assert torch.equal(before["label"], after["label"])
    assert not torch.allclose(before["start"], after["start"], atol=1e-4)
