"""Backbones learn with optimizers.

Tests train each backbone with two optimizers, and each optimizer on at least two backbones. `make compatibility`
trains all combinations and writes docs/compatibility.md.
"""

import math
from pathlib import Path

import pytest
import torch
from support.checkouts import ROOT
from support.tiny import params, tiny_settings
from support.training import CPU

from lib.cli.main import main
from lib.experiment.experiment import Experiment
from lib.files.atomic import write_text
from lib.metrics.objective import Objective
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings, save_settings
from lib.tasks.examples import WeightedSample
from lib.tasks.task import Index
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train

# Adafactor and LAMB scale a step by the size of the weights, and Lion moves each weight by the full rate.
RATES = {"adamw": 2e-3, "adam": 2e-3, "adafactor": 4e-2, "lion": 6e-4, "lamb": 4e-3, "adamw_8bit": 2e-3}
# The loss of the last epoch is less than this share of the loss of knowing only the share of positives.
EPOCHS, PAIRS, LEARNT = 12, 16, 0.8
TWINS = {
    "bert-base-uncased": "tiny-bert",
    "roberta-base": "tiny-roberta",
    "deberta-v3-base": "tiny-deberta",
    "electra-base": "tiny-electra",
    "albert-base-v2": "tiny-albert",
    "distilbert-base-uncased": "tiny-distilbert",
    "conv-bert-base": "tiny-convbert",
    "xlnet-base-cased": "tiny-xlnet",
}
PAGE = ROOT / "docs" / "compatibility.md"
INTRODUCTION = """# Backbones and optimizers

Each backbone's tiny twin (same architecture, random weights) was trained with each optimizer. The
table shows the mean loss of the first and of the last of {epochs} epochs on {pairs} sentence pairs, in batches
of 4. Knowing only the share of positives gives {entropy:.2f}. The test requires less than {learnt:.2f}.
`make compatibility` writes this page.
"""


@pytest.mark.no_cover
def test_backbones_learn_with_optimizers(copy_of_prepared: Path, request: pytest.FixtureRequest) -> None:
    save_settings(
        tiny_settings(constraints={"model.backbone": {"choices": list(TWINS.values())}}), "results/settings.json"
    )
    for name in TWINS.values():
        assert main(["backbone", name]) == 0
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    losses = {
        (b, o): _losses(experiment, TWINS[b], o) for b, o in _pairings(request.config.getoption("--write-docs"))
    }
    entropy = _entropy(float(experiment.examples.label[_pairs(experiment)].mean()))
    if request.config.getoption("--write-docs"):
        introduction = INTRODUCTION.format(epochs=EPOCHS, pairs=PAIRS, entropy=entropy, learnt=LEARNT * entropy)
        write_text(PAGE, introduction + _table(losses))
    assert not {pair: found for pair, found in losses.items() if found[1] > LEARNT * entropy}
    assert all(f"\n| {name} | " in PAGE.read_text() for name in TWINS), "run make compatibility"


def _pairings(every: bool) -> list[tuple[str, str]]:
    names, half = list(RATES), len(RATES) // 2
    shifts = range(len(RATES)) if every else (0, half)
    return [(b, names[(place + shift) % len(names)]) for place, b in enumerate(TWINS) for shift in shifts]


def _entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def _pairs(experiment: Experiment) -> Index:
    train_part = experiment.splits.development(0).train
    return train_part[experiment.examples.annotated[train_part]][:PAIRS]


def _losses(experiment: Experiment, backbone: str, optimizer: str) -> tuple[float, float]:
    options = {"optim.name": optimizer, "optim.lr": RATES[optimizer], "schedule.warmup": 0.1, "optim.clip_norm": 1.0}
    more = {"model.backbone": backbone, "model.pooling": "mean", "optim.layer_decay": 1.0, "optim.batch_size": 4}
    hyper = Hyperparameters.of(params(**options | more))
    torch.manual_seed(0)
    model, features = experiment.builder.model(hyper)
    examples, few = experiment.examples, _pairs(experiment)
    nothing, objective = WeightedSample.uniform(few[:0]), Objective(population="annotated")
    training_data = TrainingData(experiment.agent, examples, features, hyper, few, nothing, objective)
    history = train(model, training_data, CPU, TrainingOptions(epochs=EPOCHS, patience=EPOCHS), seed=0).history
    return history[0]["loss"], history[-1]["loss"]


def _table(losses: dict[tuple[str, str], tuple[float, float]]) -> str:
    head = f"\n| backbone | {' | '.join(RATES)} |\n|---|{'---|' * len(RATES)}\n"
    rows = [
        f"| {name} | " + " | ".join(f"{first:.2f} → {last:.2f}" for first, last in (losses[name, o] for o in RATES))
        for name in TWINS
    ]
    return head + "".join(f"{row} |\n" for row in rows)
