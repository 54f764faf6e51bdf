"""Train a configuration on all of the development set, as long and as calibrated as cross-validation says."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.agents.agent import Temperatures
from lib.evaluation.saved_model import MANIFEST, ModelManifest, SavedModel, save_model
from lib.experiment.experiment import Experiment
from lib.schemas.document import now
from lib.schemas.evaluation import FoldResult
from lib.settings.hyperparameters import Hyperparameters

_EPOCH_QUANTILE = 0.9


@dataclass(frozen=True)
class RefitConfig:
    """What to train: `until` epochs of a schedule laid out for `epochs`, and how to decide afterwards."""

    params: dict[str, Any]
    epochs: int
    until: int
    temperatures: Temperatures


def refit_config(experiment: Experiment, folds: Sequence[FoldResult]) -> RefitConfig:
    """Return how to train a candidate with nothing held back, from its folds.

    As many epochs as nine in ten folds needed for their best: without a stop part an epoch too few costs more than
    one too many, at the falling rate of its schedule's end (docs/performance.md). The `calibrated` null policy's
    temperature is fitted on the held-out answers of all folds together: on every development post, by models that had
    not seen it (as scikit-learn's CalibratedClassifierCV with ensemble=False does).
    """
    agent, hyper = experiment.agent, Hyperparameters.of(folds[0].params)
    index = experiment.examples.places([name for fold in folds for name in fold.examples])
    reading = agent.concatenate([agent.to_logits(agent.load(fold.answers), fold.temperatures) for fold in folds])
    return RefitConfig(
        params=folds[0].params,
        epochs=experiment.settings.config.stage_c.epochs,
        until=int(np.ceil(np.quantile([fold.best_epoch for fold in folds], _EPOCH_QUANTILE))),
        temperatures=agent.temperatures(reading, experiment.examples, index, hyper),
    )


def refit(experiment: Experiment, config: RefitConfig) -> SavedModel:
    """Return the trained model: from the cache, or trained now and kept there. A killed training goes on."""
    key = experiment.refit_key(config.params, epochs=config.epochs, until=config.until)
    folder = experiment.results / "cache" / "refits" / experiment.agent.name / key
    if not (folder / MANIFEST).exists():
        _train(experiment, config, folder)
    return SavedModel.load(folder, experiment.device)


def _train(experiment: Experiment, config: RefitConfig, folder: Path) -> None:
    started, clock = now(), time.perf_counter()
    trained = experiment.refit(config.params, epochs=config.epochs, until=config.until)
    manifest = ModelManifest(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        params=config.params,
        temperatures=dict(config.temperatures),
        criteria=experiment.development.criteria,
        trained={
            "epochs": config.until,
            "of": config.epochs,
            "examples": len(experiment.examples),
            "posts": len(set(experiment.examples.post_id)),
        },
        performance={**trained.result.performance, "seconds": round(time.perf_counter() - clock, 3)},
    )
    save_model(folder, manifest, trained.model, trained.features, experiment.builder.backbones)


def publish_model(model: SavedModel, folder: Path, card: str) -> None:
    """Copy a saved model to where it is given out, with its card; what was there before is removed."""
    staged = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(model.folder, staged)
    (staged / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
