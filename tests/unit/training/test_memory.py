from pathlib import Path

import numpy as np
import pytest
import torch
from support.training import CPU, model_and_data, params, without_dropout

from lib.settings.hyperparameters import Hyperparameters
from lib.training.engine import TrainingOptions, train
from lib.training.memory import MicroBatches


@pytest.mark.parametrize("size", [16, 64])
def test_a_batch_that_does_not_fit_is_halved_and_gives_the_same_numbers(experiment, monkeypatch, size: int) -> None:
    hyper = Hyperparameters.of(params(**{"optim.batch_size": size}))
    weights, sizes = [], []
    for limited in (False, True, True):
        most = max(sizes) // 2 if limited else 10**9
        model, training_data = model_and_data(experiment, hyper)
        without_dropout(model)
        whole, failed = model.forward, []

        def forward(inputs, whole=whole, failed=failed, most=most):
            size = inputs["input_ids"].numel()
            if torch.is_grad_enabled():
                sizes.append(size)
                if size > most:
                    failed.append(size)
                    raise torch.OutOfMemoryError
            return whole(inputs)

        monkeypatch.setattr(model, "forward", forward)
        memory = MicroBatches(Path("cache/micro_batches.json"), "cpu", "tiny-bert", hyper.max_length)
        history = train(
            model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=3, memory=memory
        ).history
        weights.append((torch.cat([p.detach().flatten() for p in model.parameters()]), history[0]["loss"], failed))
    (whole_weights, whole_loss, _), (parted, parted_loss, failed), (again, _, remembered) = weights
    assert failed and not remembered, "what fits is found once"
    assert (whole_weights - parted).abs().mean() < 1e-6 and whole_loss == pytest.approx(parted_loss, rel=1e-5)
    assert (again - parted).abs().mean() < 1e-6
    other = MicroBatches(Path("cache/micro_batches.json"), "cpu", "tiny-bert", 512)
    assert len(list(other.split(np.arange(64), np.full(64, 60)))) == 1
