from dataclasses import replace
from typing import get_args

import pytest
import torch
from support.training import CPU, fetch_tiny, model_and_data, params, without_dropout

from lib.settings.config import Architecture
from lib.settings.hyperparameters import Hyperparameters
from lib.training.engine import TrainingOptions, train


def test_accumulated_batches_are_one_large_batch(experiment) -> None:
    """Two batches of 8 give the same weights as one batch of 16, except for rounding."""
    results = []
    for size, accumulation in ((16, 1), (8, 2)):
        hyper = Hyperparameters.of(params(**{"optim.batch_size": size, "optim.accumulation": accumulation}))
        model, training_data = model_and_data(experiment, hyper)
        without_dropout(model)
        train(
            model,
            replace(training_data, train=training_data.train[:16]),
            CPU,
            TrainingOptions(epochs=1, patience=1),
            seed=3,
        )
        results.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    # Adam turns rounding errors of near-zero gradients into steps, so the test compares the mean difference.
    assert (results[0] - results[1]).abs().mean() < 1e-6


@pytest.mark.no_cover
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_two_threads_give_the_same_numbers_as_one(experiment, architecture: str) -> None:
    """Dropout is on. Each part of a batch has its own noise, which does not depend on its thread."""
    name = fetch_tiny(architecture)
    hyper = Hyperparameters.of(params(**{"model.backbone": name, "head.dropout": 0.3}))
    outcomes, weights = [], []
    for parallel in (False, True):
        model, training_data = model_and_data(experiment, hyper)
        training_data, before = replace(training_data, train=training_data.train[:48]), torch.get_rng_state()
        outcomes.append(
            train(
                model, training_data, replace(CPU, parallel=parallel), TrainingOptions(epochs=2, patience=2), seed=0
            )
        )
        assert torch.equal(torch.get_rng_state(), before), "something draws from the generator that threads share"
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights) and outcomes[0].history == outcomes[1].history
