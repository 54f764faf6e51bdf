from pathlib import Path

import pytest
import torch
from support.training import fetch_tiny, model_and_data, params, without_dropout

from lib.experiment.experiment import Experiment
from lib.modeling.mixed_precision import MixedPrecisionParameters
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings


@pytest.mark.parametrize("architecture", ["bert", "albert", "xlnet"])
def test_weights_cast_once_a_step_give_the_gradients_of_autocast(experiment, architecture: str) -> None:
    name = fetch_tiny(architecture)
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    model, training_data = model_and_data(experiment, Hyperparameters.of(params(**{"model.backbone": name})))
    without_dropout(model)
    inputs, targets, _ = training_data.features.batch(training_data.features.windows(training_data.train)[:8])
    weights = MixedPrecisionParameters(model.train(), bf16=True)

    def gradient(used: list[torch.Tensor]) -> list[torch.Tensor | None]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = model(*inputs)
        loss = training_data.agent.loss(outputs, targets, training_data.hyper)
        return [None if g is None else g.float() for g in torch.autograd.grad(loss, used, allow_unused=True)]

    before = list(model.parameters())
    expected = gradient(weights.parameters)
    with weights.bf16_copies() as used:
        assert {tensor.dtype for tensor in used} == {torch.float32, torch.bfloat16}
        found = gradient(used)
    assert all(old is new for old, new in zip(before, model.parameters(), strict=True))
    for old, new in zip(expected, found, strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)
