"""Train a configuration on the whole development set, with epochs and temperatures from cross-validation."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.agents.agent import Temperatures
from lib.evaluation.saved_model import SavedModel, save_model
from lib.experiment.experiment import Experiment
from lib.files.hashing import hash_value
from lib.schemas.document import now
from lib.schemas.evaluation import MODEL_MANIFEST, FoldResult, ModelManifest
from lib.settings.hyperparameters import Hyperparameters

# Quantile of the folds' best epochs after which a refit ends.
_EPOCH_QUANTILE = 0.9


@dataclass(frozen=True)
class RefitConfig:
    """A training on all examples.

    Attributes:
        params: Hyper-parameters, under the names of the search space.
        epochs: Epochs for which the learning rate schedule is laid out.
        until: Epoch after which the training ends.
        temperatures: Temperature of each task, with which the model decides afterwards.
    """

    params: dict[str, Any]
    epochs: int
    until: int
    temperatures: Temperatures


def refit_config(experiment: Experiment, folds: Sequence[FoldResult]) -> RefitConfig:
    """Return how to train a candidate on all examples, derived from its folds.

    The training lasts as many epochs as nine in ten folds needed to reach their best epoch. There is no
    early-stopping split, and one epoch too few costs more than one too many, because the learning rate is low at the
    schedule's end (docs/performance.md). The temperature of the `calibrated` null policy is fitted on the held-out
    predictions of all folds together. Every development post is thus predicted by models that have not seen it, as in
    scikit-learn's CalibratedClassifierCV with ensemble=False.

    Args:
        experiment: The agent's experiment; nothing is trained here.
        folds: Results of one candidate on all folds.

    Returns:
        Hyper-parameters, epochs and temperatures of the refit.
    """
    agent, hyper = experiment.agent, Hyperparameters.of(folds[0].params)
    index = experiment.examples.places([name for fold in folds for name in fold.examples])
    logits = agent.concatenate([agent.to_logits(agent.load(fold.answers), fold.temperatures) for fold in folds])
    return RefitConfig(
        params=folds[0].params,
        epochs=experiment.settings.config.stage_c.epochs,
        until=int(np.ceil(np.quantile([fold.best_epoch for fold in folds], _EPOCH_QUANTILE))),
        temperatures=agent.temperatures(logits, experiment.examples, index, hyper),
    )


def refit(experiment: Experiment, config: RefitConfig) -> SavedModel:
    """Return the refitted model, from the cache or trained now and kept there.

    A training that was killed is resumed from its checkpoint.

    Args:
        experiment: Trains the model.
        config: What to train, and the temperatures to save with the model.

    Returns:
        The model as it was saved, on the experiment's device.

    Raises:
        TrainingFailure: The training gives no result.
    """
    key = experiment.refit_key(config.params, epochs=config.epochs, until=config.until)
    # Other folds may fit other temperatures to the same training.
    name = f"{key}-{hash_value(dict(config.temperatures), length=8)}"
    folder = experiment.results / "cache" / "refits" / experiment.agent.name / name
    if not (folder / MODEL_MANIFEST).exists():
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
    """Copy a saved model and its card to the folder from which it is used, and replace an earlier model.

    Args:
        model: A model that was read from its folder.
        folder: Folder to publish it in; an existing one is removed.
        card: The model card, written as README.md.
    """
    staged = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    shutil.copytree(model.folder, staged)
    (staged / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
