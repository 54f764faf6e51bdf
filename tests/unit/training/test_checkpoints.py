from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.training import CPU, model_and_data, params

from lib.settings.hyperparameters import Hyperparameters
from lib.training.engine import TrainingOptions, train


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_checkpoint_is_not_used(experiment, monkeypatch, caplog, damage: str) -> None:
    split, point = experiment.splits.development(0), params()
    whole = experiment.run(point, split, epochs=2)
    next(Path("results/criteria/runs").glob(f"{whole.key}.json")).unlink()

    def killed(epoch: int, best: float) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.run(point, split, epochs=2, on_epoch=lambda epoch, best: epoch == 2 and killed(epoch, best))
    (checkpoint,) = Path("results/cache/checkpoints").iterdir()
    content = bytearray(checkpoint.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64 if content[middle : middle + 64] != bytes(64) else [1] * 64)
    checkpoint.write_bytes(content[:middle] if damage == "cut" else content)
    assert experiment.run(point, split, epochs=2).history == whole.history
    assert "is damaged: this training starts again" in caplog.text


CLASSES = {
    "adamw": "torch.optim.AdamW",
    "adam": "torch.optim.Adam",
    "adafactor": "torch.optim.Adafactor",
    "lion": "lion_pytorch.foreach.Lion",
    "lamb": "pytorch_optimizer.Lamb",
    "adamw_8bit": "bitsandbytes.optim.AdamW8bit",
}


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.slow
def test_a_killed_training_goes_on_bit_for_bit(experiment, name: str) -> None:
    options = {"optim.name": name, "head.dropout": 0.2, "optim.ema_decay": 0.9, "schedule.name": "one_cycle"}
    hyper = Hyperparameters.of(params(**options))
    path = Path("cache/checkpoint.pt")
    outcomes, weights = [], []

    def killed(epoch: int, best: float) -> bool:
        if epoch == 3:
            raise KeyboardInterrupt
        return False

    for checkpoint, on_epoch in ((None, None), (path, killed), (path, None)):
        model, training_data = model_and_data(experiment, hyper)
        training_data = replace(training_data, train=training_data.train[:48])
        torch.manual_seed(1 if on_epoch is None and checkpoint else 0)
        options = TrainingOptions(epochs=4, patience=4, keep_best=True, on_epoch=on_epoch, checkpoint=checkpoint)
        try:
            outcomes.append(train(model, training_data, CPU, options, seed=0))
        except KeyboardInterrupt:
            continue
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    unbroken, resumed = outcomes
    assert resumed.history == unbroken.history and len(resumed.history) == 4
    assert resumed.scores == unbroken.scores and resumed.best_epoch == unbroken.best_epoch
    assert torch.equal(*weights)


def test_epochs_of_a_checkpoint_are_reported_to_the_pruner_again(experiment) -> None:
    hyper = Hyperparameters.of(params())
    path = Path("cache/checkpoint.pt")
    model, training_data = model_and_data(experiment, hyper)
    train(model, training_data, CPU, TrainingOptions(epochs=3, patience=3, checkpoint=path), seed=0)
    reported: list[int] = []

    def prune(epoch: int, best: float) -> bool:
        reported.append(epoch)
        return epoch == 2

    model, training_data = model_and_data(experiment, hyper)
    outcome = train(
        model, training_data, CPU, TrainingOptions(epochs=3, patience=3, checkpoint=path, on_epoch=prune), seed=0
    )
    assert outcome.stopped == "pruned" and reported == [1, 2] and len(outcome.history) == 2
