"""A corpus that no model can solve without the criterion, and training data from it for every agent."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.agents import get_agent
from lib.corpus.store import DevelopmentSet
from lib.evaluation.saved_model import SavedModel, save_model
from lib.metrics.objective import Objective
from lib.modeling.backbones import Backbones, fetch
from lib.schemas.backbone import BackboneManifest
from lib.schemas.evaluation import ModelManifest
from lib.settings.config import Architecture, TinyBackbone
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import WeightedSample
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train
from lib.training.features import make_features
from support.tiny import empty_provenance, params
from support.training import CPU

PLANTED_PARAMS: dict[str, object] = {
    "model.pooling": "mean",
    "data.max_length": 64,
    "data.overlap": 0.25,
    "optim.lr": 2e-3,
    "optim.batch_size": 16,
    "optim.clip_norm": 1.0,
    "schedule.warmup": 0.1,
    "loss.span_weight": 0.5,
    "null_policy.name": "threshold",
    "data.unannotated": 1.0,
}
CRITERIA = {"FRUIT": "it tells of an apple", "WEATHER": "it tells of a storm"}
_EVIDENCE = {"FRUIT": "there was an apple .", "WEATHER": "there was a storm ."}
_FILLER = ["there was a cat .", "there was a house .", "we went home .", "the bus was late ."]


def corpus(posts: int, seed: int = 0) -> DevelopmentSet:
    """Make posts of five sentences. One sentence meets a criterion in about half of the posts."""
    rng = np.random.default_rng(seed)
    texts, rows = [], []
    for number in range(posts):
        sentences = [str(rng.choice(_FILLER)) for _ in range(5)]
        positions = rng.permutation(5)
        met = {name: bool(rng.random() < 0.5) for name in CRITERIA}
        for position, (name, yes) in zip(positions, met.items(), strict=False):
            sentences[position] = _EVIDENCE[name] if yes else sentences[position]
        starts = np.cumsum([0, *(len(s) + 1 for s in sentences)])
        post_id = f"p{number:04d}"
        texts.append((post_id, " ".join(sentences)))
        for position, (name, yes) in zip(positions, met.items(), strict=False):
            start = int(starts[position])
            rows.append(
                (len(rows), post_id, sentences[position], name, int(yes), start, start + len(sentences[position]))
            )
            other = _EVIDENCE[next(n for n in CRITERIA if n != name)]
            if other in sentences:  # evidence for the other criterion is a negative example for this one
                start = int(starts[sentences.index(other)])
                rows.append((len(rows), post_id, other, name, 0, start, start + len(other)))
    columns = ["row", "post_id", "sentence", "criterion", "status", "start", "end"]
    return DevelopmentSet(
        posts=pd.DataFrame(texts, columns=["post_id", "text"]).assign(group=range(posts)),
        annotations=pd.DataFrame(rows, columns=columns),
        criteria=CRITERIA,
        corpus_hash="planted",
        unannotated_are_negative=False,
    )


def prepare_training(
    folder: Path,
    name: str,
    development: DevelopmentSet,
    *,
    first: Architecture = "bert",
    second: Architecture = "bert",
    natural: bool = False,
    **more: object,
) -> tuple[nn.Module, TrainingData]:
    """Make an agent's model and training data, with a quarter of the posts for validation.

    `folder` holds the backbones, and a missing one is made there. `first` and `second` are the architectures of the
    encoders, and `more` holds hyper-parameters.
    """
    for kind in {first, second}:
        _backbone(folder, kind)
    hyper = Hyperparameters.of(params(**PLANTED_PARAMS | {"model.backbone": first, "joint.backbone": second} | more))
    agent = get_agent(name)
    examples = agent.examples(replace(development, unannotated_are_negative=natural))
    backbones = Backbones(folder)
    features = make_features(agent, examples, hyper, backbones, folder / "cache")
    torch.manual_seed(0)
    encoders = [
        backbones.encoder(backbone, tokens.vocabulary)
        for backbone, tokens in zip(agent.backbone_names(hyper), features.tokens, strict=True)
    ]
    model = agent.model(encoders, [tokens.special for tokens in features.tokens], hyper)
    known = np.array(examples.post_id) < f"p{int(0.75 * len(development.posts)):04d}"
    objective = Objective() if natural else Objective(population="annotated")
    validation = WeightedSample.uniform(np.flatnonzero(~known))
    return model, TrainingData(agent, examples, features, hyper, np.flatnonzero(known), validation, objective)


def train_and_save(
    folder: Path, at: Path, agent: str, epochs: int = 1, **more: object
) -> tuple[nn.Module, TrainingData, SavedModel]:
    """Train a model, save it, and return it in memory and as loaded from disk."""
    model, training_data = prepare_training(folder, agent, corpus(40), **more)
    train(model, training_data, CPU, TrainingOptions(epochs=epochs, patience=9), seed=0)
    manifest = ModelManifest(
        provenance=empty_provenance(),
        agent=agent,
        params=training_data.hyper.params(),
        rules={name: rule.dump() for name, rule in training_data.agent.neutral_rules(list(CRITERIA)).items()},
        post_rule=None,
        population="annotated",
        criteria=CRITERIA,
        trained={"epochs": epochs, "of": epochs, "examples": 1, "posts": 1},
        performance={},
    )
    save_model(at, manifest, model, training_data.features, Backbones(folder))
    return model, training_data, SavedModel.load(at, CPU)


def _backbone(folder: Path, architecture: Architecture) -> None:
    if not (folder / architecture / BackboneManifest.FILE).exists():
        fetch_tiny_backbone(folder / architecture, architecture, [*corpus(50).posts["text"], *CRITERIA.values()])


def fetch_tiny_backbone(folder: Path, architecture: Architecture, texts: list[str]) -> None:
    """Make a tiny backbone, named like its folder, with a tokenizer trained on the texts."""
    source = TinyBackbone(source="tiny", architecture=architecture)
    facts = fetch(folder.name, source, folder, texts=texts, seed=1)
    BackboneManifest(provenance=empty_provenance(), **facts).write(folder / BackboneManifest.FILE)
