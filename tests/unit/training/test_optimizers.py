import importlib
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from support.planted import fetch_tiny_backbone
from support.training import CPU, model_and_data, params
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from lib.errors import UserError
from lib.modeling.backbones import Backbones
from lib.modeling.layers import parameter_depths
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import _optimizers
from lib.training.engine import TrainingOptions, train
from lib.training.optimizers import (
    OptimizerScale,
    check_optimizers,
    make_ema,
    make_optimizer,
    make_scheduler,
    schedule_factor,
)

CLASSES = {
    "adamw": "torch.optim.AdamW",
    "adam": "torch.optim.Adam",
    "adafactor": "torch.optim.Adafactor",
    "lion": "lion_pytorch.foreach.Lion",
    "lamb": "pytorch_optimizer.Lamb",
    "adamw_8bit": "bitsandbytes.optim.AdamW8bit",
}


@pytest.mark.parametrize("name", CLASSES)
def test_optimizers_have_the_named_class_and_the_right_groups(experiment, name: str) -> None:
    options = {"optim.weight_decay": 0.1, "optim.head_lr_factor": 5.0, "optim.layer_decay": 0.9}
    hyper = Hyperparameters.of(params(**options, **{"optim.name": name}))
    model, _ = model_and_data(experiment, hyper)
    optimizer = make_optimizer(model, hyper)
    module, _, kind = CLASSES[name].rpartition(".")
    assert type(optimizer) is getattr(importlib.import_module(module), kind)
    group = {id(p): g for g in optimizer.param_groups for p in g["params"]}
    depth, top = parameter_depths(model.encoder)
    assert top == 2 and set(depth.values()) == {0, 1, 2}
    assert len(group) == len(list(model.parameters()))
    for path, parameter in model.named_parameters():
        decays = parameter.ndim > 1 and not (name == "adam" and "embeddings" in path)
        assert group[id(parameter)]["weight_decay"] == (0.1 if decays else 0.0), path
        encoder, _, rest = path.partition(".")
        factor = 0.9 ** (top - depth[rest]) if encoder == "encoder" else 5
        assert group[id(parameter)]["lr"] == pytest.approx(1e-3 * factor)
    assert depth["embeddings.word_embeddings.weight"] == 0
    assert depth["encoder.layer.1.output.dense.weight"] == 2


def test_lamb_scales_the_step_by_the_size_of_the_weights() -> None:
    """LAMB has a trust ratio (You et al., 2020), so ten times larger weights get a ten times larger step."""
    hyper = Hyperparameters.of(params(**{"optim.name": "lamb", "optim.weight_decay": 0.0}))
    steps = []
    for scale in (0.01, 0.1):
        model = torch.nn.Sequential(torch.nn.Linear(4, 4, bias=False))
        torch.nn.init.constant_(model[0].weight, scale)
        optimizer = make_optimizer(model, hyper)
        model(torch.ones(1, 4)).sum().backward()
        optimizer.step()
        steps.append((model[0].weight - scale).norm().item())
    assert steps[1] == pytest.approx(10 * steps[0], rel=1e-3)


def moved(name: str, *, rate: float, decay: float, signal: float) -> tuple[float, float]:
    """Return the mean update of a weight matrix in a step, and the share by which a step shrinks it.

    The gradient is noise and a constant part, `signal` times as large; its norm is that of a clipped gradient.
    """
    scales = _optimizers("config/optimizers.yaml")[0]
    hyper = replace(
        Hyperparameters.of(params(**{"optim.name": name, "optim.lr": rate, "optim.weight_decay": decay})),
        head_lr_factor=1.0,
    )
    generator = torch.Generator().manual_seed(0)

    def normal(deviation: float) -> torch.Tensor:
        return torch.randn(768, 768, generator=generator) * deviation

    model = nn.Sequential(nn.Linear(768, 768, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(normal(0.04))
    optimizer = make_optimizer(model, hyper, OptimizerScale(scales[name].rate, scales[name].decay))
    constant, updates, shrinkages = normal(1.0), [], []
    for _ in range(60):
        model[0].weight.grad = (normal(1.0) + signal * constant) * (2e-4 / (1 + signal**2) ** 0.5)
        before = model[0].weight.detach().clone()
        optimizer.step()
        update = model[0].weight.detach() - before
        updates.append(update.abs().mean().item())
        shrinkages.append(-(update * before).sum().item() / before.square().sum().item())
    return float(np.mean(updates[20:])), float(np.mean(shrinkages[20:]))


@pytest.mark.slow
@pytest.mark.parametrize("signal", [0.3, 1.0])
def test_one_rate_and_decay_move_and_shrink_a_matrix_equally_with_each_optimizer(project, signal: float) -> None:
    updates, shrinkages = {}, {}
    for name in CLASSES:
        updates[name], kept = moved(name, rate=1e-3, decay=0.0, signal=signal)
        shrinkages[name] = moved(name, rate=1e-3, decay=0.2, signal=signal)[1] - kept
    # Everything lies within a factor of two.
    assert max(updates.values()) < 2 * min(updates.values()), updates
    assert max(shrinkages.values()) < 2 * min(shrinkages.values()) and min(shrinkages.values()) > 1e-4, shrinkages


@pytest.mark.parametrize("name", CLASSES)
def test_rows_of_an_embedding_without_a_gradient_keep_their_size(project, name: str) -> None:
    scale = _optimizers("config/optimizers.yaml")[0][name]
    given = params(**{"optim.name": name, "optim.lr": 1e-4, "optim.weight_decay": 0.01})
    generator = torch.Generator().manual_seed(0)
    model = nn.Sequential(nn.Embedding(512, 64))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(512, 64, generator=generator) * 0.04)
    before = model[0].weight.detach().clone()
    optimizer = make_optimizer(model, Hyperparameters.of(given), OptimizerScale(scale.rate, scale.decay))
    for _ in range(100):
        model[0].weight.grad = torch.zeros(512, 64)
        model[0].weight.grad[:16] = torch.randn(16, 64, generator=generator) * 2e-4
        optimizer.step()
    kept = (model[0].weight.detach() * before).sum(dim=1) / before.square().sum(dim=1)
    assert kept[16:].min() > 0.98 and (model[0].weight[:16] != before[:16]).any()


@pytest.mark.parametrize("name", ["xlnet", "convbert"])
def test_biases_of_two_dimensions_do_not_decay(name: str, tmp_path: Path) -> None:
    texts = ["I am tired and sad.", "The weather is fine."] * 20
    fetch_tiny_backbone(tmp_path / name, name, texts)
    model = nn.Module()
    model.encoder = Backbones(tmp_path)._model(name)
    hyper = Hyperparameters.of(params(**{"optim.weight_decay": 0.1}))
    decays = {
        id(parameter): group["weight_decay"]
        for group in make_optimizer(model, hyper).param_groups
        for parameter in group["params"]
    }
    biases = [p for path, p in model.named_parameters() if path.endswith("bias") and p.ndim > 1]
    assert biases and all(decays[id(parameter)] == 0 for parameter in biases)


@pytest.mark.parametrize("schedule", ["linear", "cosine", "polynomial", "cosine_with_restarts"])
def test_schedules_warm_up_and_decay_to_zero(schedule) -> None:
    rates = [schedule_factor(schedule, step, 100, 0.1) for step in range(101)]
    assert rates[0] == pytest.approx(1 / 11) and rates[10] == 1.0 and rates[100] == pytest.approx(0)
    assert all(a < b for a, b in pairwise(rates[:11]))
    rises = [step for step, (a, b) in enumerate(pairwise(rates)) if a < b and step >= 10]
    assert rises == ([39, 69] if schedule == "cosine_with_restarts" else [])
    assert schedule_factor(schedule, 0, 10, 0.0) == 1.0


@pytest.mark.parametrize(("name", "moves"), [("adamw", True), ("adafactor", False)])
def test_one_cycle_rises_for_three_tenths_and_moves_momentum_against_the_rate(name: str, moves: bool) -> None:
    hyper = Hyperparameters.of(params(**{"optim.name": name, "schedule.name": "one_cycle"}))
    optimizer = make_optimizer(torch.nn.Sequential(torch.nn.Linear(2, 2)), hyper)
    scheduler = make_scheduler(optimizer, hyper, 100)
    rates, momenta = [], []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0].get("betas", (0,))[0])
        optimizer.step()
        scheduler.step()
    assert rates.index(max(rates)) == 29 and rates[-1] < 1e-4 * max(rates)
    if moves:
        assert momenta.index(min(momenta)) == 29 and momenta[0] == momenta[-1] == pytest.approx(0.95)


def test_the_moving_average_of_the_weights_is_evaluated(experiment) -> None:
    hyper = Hyperparameters.of(params(**{"optim.ema_decay": 0.5, "optim.batch_size": 8}))
    model, training_data = model_and_data(experiment, hyper)
    average: list[torch.Tensor] = []
    steps = iter(range(10**6))

    def follow(*_: object) -> None:
        now, step = torch.cat([p.detach().flatten() for p in model.parameters()]), next(steps)
        decay = min(0.5, (1 + step) / (10 + step)) if step else 0.0
        average[:] = [decay * average[0] + (1 - decay) * now if average else now]

    hook = register_optimizer_step_post_hook(follow)
    try:
        train(model, training_data, CPU, TrainingOptions(epochs=2, patience=2), seed=0)
    finally:
        hook.remove()
    assert next(steps) > 10, "the decay has reached its limit"
    assert torch.allclose(average[0], torch.cat([p.detach().flatten() for p in model.parameters()]), atol=1e-6)


def test_a_short_training_does_not_keep_its_first_weights_in_the_moving_average() -> None:
    model = nn.Linear(1, 1)
    average = make_ema(model, Hyperparameters.of(params(**{"optim.ema_decay": 0.999})))
    for value in (0.0, *[1.0] * 100):
        for parameter in model.parameters():
            nn.init.constant_(parameter, value)
        average.update_parameters(model)
    assert all(parameter > 0.99 for parameter in average.module.parameters())


def test_a_missing_optimizer_package_is_reported_at_the_start(monkeypatch) -> None:
    check_optimizers(list(CLASSES))
    monkeypatch.setitem(__import__("sys").modules, "lion_pytorch.foreach", None)
    with pytest.raises(UserError, match=r"optimizer 'lion' cannot be used here .*; install its package"):
        check_optimizers(["adamw", "lion"])
