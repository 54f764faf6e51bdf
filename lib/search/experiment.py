"""One finished training is a run: trained once, kept by content, never trained again."""

import gc
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from lib.agents import get_agent
from lib.agents.base import Agent, Features
from lib.augmentation.bank import Bank, BankManifest, path
from lib.augmentation.examples import Augmenter, Texts
from lib.augmentation.methods import of_strategies
from lib.corpus.splits import folds, split_posts
from lib.corpus.store import Development, load_development
from lib.errors import UserError
from lib.files.documents import Document, Provenance, now, provenance
from lib.files.hashing import derive_seed, hash_value
from lib.modeling.backbones import Backbones
from lib.modeling.tokens import check_criteria_fit
from lib.search.documents import NO_TRAINING
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import Settings
from lib.tasks.examples import Examples
from lib.training.augmentation import Augmentation
from lib.training.device import Device, choose
from lib.training.engine import OnEpoch, Outcome, replay, train
from lib.training.features import make_features, more_features
from lib.training.lesson import Lesson, TrainingFailure
from lib.training.memory import MicroBatches
from lib.training.optimizers import check_optimizers
from lib.training.prediction import predict
from lib.training.process import set_threads

# Raised when the engine would give other numbers for the same hyper-parameters: old runs are then not reused.
ENGINE = 11


class Run(Document):
    """A finished training: scores on the part that stopped it, and on the held-out part of a fold."""

    KIND: ClassVar[str] = "run"

    agent: str
    key: str
    split: str
    params: dict[str, Any]
    epochs: int
    best_epoch: int
    stopped: str
    history: list[dict[str, float]]
    scores: dict[str, Any]
    held_out: dict[str, Any] | None = None
    examples: list[str] | None = None
    answers: dict[str, Any] | None = None
    temperatures: dict[str, float] | None = None
    augmented: dict[str, int]
    performance: dict[str, float]


@dataclass(frozen=True)
class Split:
    """Indices into the examples; no post is in two of the parts."""

    name: str
    train: NDArray[np.int64]
    stop: NDArray[np.int64]
    held_out: NDArray[np.int64] | None = None


class PrunedError(Exception):
    """A training was stopped because the trial is not promising enough."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("pruned")
        self.outcome = outcome


class Experiment:
    """Everything a training of one agent needs, loaded once a process."""

    def __init__(self, settings: Settings, agent: str, results: Path) -> None:
        self.settings = settings
        self.agent: Agent = get_agent(agent)
        self.results = results
        self._cache = results / "cache"
        self.development: Development = load_development(results / "corpus")
        self.examples: Examples = self.agent.examples(
            self.development, unannotated=settings.config.corpus.unannotated, seed=settings.config.seed
        )
        self.backbones = Backbones(results / "backbones")
        self._last: tuple[Any, Features] | None = None
        set_threads(settings.config.training.threads)
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")

    @cached_property
    def device(self) -> Device:
        """Where trainings run. Asked for by these only: a job that collects results needs no GPU."""
        return choose(self.settings.config.training)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What two runs must share to be comparable, beside hyper-parameters, split and epochs."""
        if not self.settings.space.augments:
            return self._plain_identity
        return {**self._plain_identity, "augmentation": {name: e.key for name, e in self.bank.methods.items()}}

    @cached_property
    def _plain_identity(self) -> dict[str, Any]:
        """The identity of runs that do not augment; they need no bank."""
        training = self.settings.config.training
        return {
            "engine": ENGINE,
            "agent": self.agent.name,
            "seed": self.settings.config.seed,
            "corpus": self.development.corpus_hash,
            "backbones": {name: self.backbones.fingerprint(name) for name in self.settings.space.backbones},
            "precision": "bf16" if self.device.bf16 else "fp32",
            "patience": training.patience,
            "test_fraction": self.settings.config.corpus.test_fraction,
            "unannotated": self.settings.config.corpus.unannotated,
        }

    @cached_property
    def bank(self) -> BankManifest:
        """What the bank of augmented texts holds."""
        return BankManifest.read(self.results / self.agent.name / "augmentation" / "bank.json")

    @cached_property
    def _banks(self) -> dict[str, Bank]:
        bank, folder = self.bank, self._cache / "augmentation"
        return {name: Bank(path(folder, e.key), bank.levels, bank.variants) for name, e in bank.methods.items()}

    @cached_property
    def _texts(self) -> Texts:
        return Texts(self.examples, whole=not self.agent.reads_posts)

    @cached_property
    def _new_words(self) -> list[str]:
        """Every word that augmentation may bring, in a fixed order."""
        return sorted(set[str]().union(*(bank.words() for bank in self._banks.values())))

    def provenance(self, started: str) -> Provenance:
        """Return the provenance of a document made with this experiment."""
        return provenance(
            config_hash=self.settings.digest(),
            corpus_hash=self.development.corpus_hash,
            seed=self.settings.config.seed,
            device=str(self.device) if "device" in vars(self) else NO_TRAINING,
            started=started,
        )

    def check(self) -> None:
        """Refuse optimizers that cannot be had here, and a max_length that leaves no room beside a criterion."""
        check_optimizers(self.settings.space.optimizers)
        if self.settings.space.augments:
            self._check_bank()
        shortest = self.settings.space.shortest_length
        for name in self.settings.space.backbones:
            check_criteria_fit(self.backbones.tokenizer(name), self.development.criteria, shortest, name)

    def _check_bank(self) -> None:
        manifest = self.results / self.agent.name / "augmentation" / "bank.json"
        lacking = sorted(set(of_strategies(self.settings.space.strategies)) - self.bank.methods.keys())
        lacking += [
            name for name, e in self.bank.methods.items() if not path(self._cache / "augmentation", e.key).exists()
        ]
        if lacking:
            raise UserError(
                f"{manifest}: no texts augmented by {', '.join(lacking)}; remove it to have them made anew"
            )

    def development_split(self, number: int) -> Split:
        """Return development split `number`: the same for every trial."""
        fraction = self.settings.config.training.validation_fraction
        seed = derive_seed(self.settings.config.seed, "development split", number)
        assigned = split_posts(self.development.annotations, self.development.texts, [1 - fraction, fraction], seed)
        parts = np.array([assigned[post_id] for post_id in self.examples.post_id])
        return Split(f"development-{number}", np.flatnonzero(parts == 0), np.flatnonzero(parts == 1))

    def fold(self, number: int, k: int) -> Split:
        """Return fold `number` of repeated k-fold: numbers 0…k-1 are repeat 0, k…2k-1 repeat 1, and so on.

        The best epoch is chosen on a part of the training posts, never on the held-out fold.
        """
        repeat, fold = divmod(number, k)
        seed = self.settings.config.seed
        rows, texts = self.development.annotations, self.development.texts
        of_post = folds(rows, texts, k=k, repeat=repeat, seed=seed)
        training = {post_id: text for post_id, text in texts.items() if of_post[post_id] != fold}
        fraction = self.settings.config.training.stopping_fraction
        stops = split_posts(rows, training, [1 - fraction, fraction], derive_seed(seed, "stop", k, number))
        part = np.array([stops.get(post_id, 2) for post_id in self.examples.post_id])
        name = f"fold-{fold + 1}-of-{k}-repeat-{repeat + 1}"
        return Split(name, *(np.flatnonzero(part == value) for value in range(3)))

    def run(
        self,
        params: dict[str, Any],
        split: Split,
        *,
        epochs: int,
        on_epoch: OnEpoch | None = None,
    ) -> Run:
        """Return the run for these hyper-parameters: from the store, or trained now and stored.

        on_epoch may stop it (see `train`); a stored run is replayed through it. Raises PrunedError if it did,
        TrainingFailure if there is no result.
        """
        key = self._key(params, split, epochs)
        path = self.results / self.agent.name / "runs" / f"{key}.json"
        if path.exists():
            return _replay(Run.read(path), on_epoch)
        checkpoint = self._cache / "checkpoints" / f"{key}.pt"
        try:
            run = self._train(Hyperparameters.of(params), split, key, epochs, on_epoch, checkpoint)
        except (PrunedError, TrainingFailure):
            checkpoint.unlink(missing_ok=True)
            raise
        run.write(path)
        checkpoint.unlink(missing_ok=True)
        return run

    def refit_key(self, params: dict[str, Any], *, epochs: int, until: int) -> str:
        """Name a training on all examples by its content."""
        return self._key(params, self._whole, [epochs, until])

    def refit(self, params: dict[str, Any], *, epochs: int, until: int) -> tuple[nn.Module, Features, Outcome]:
        """Train on all examples, nothing held back, for `until` epochs of a schedule laid out for `epochs`.

        A killed one goes on from its last epoch. Raises TrainingFailure if there is no result.
        """
        checkpoint = self._cache / "checkpoints" / f"{self.refit_key(params, epochs=epochs, until=until)}.pt"
        model, lesson, outcome = self._learn(
            Hyperparameters.of(params), self._whole, epochs, None, checkpoint, until=until
        )
        checkpoint.unlink(missing_ok=True)
        return model, lesson.features, outcome

    @property
    def _whole(self) -> Split:
        return Split("all of development", np.arange(len(self.examples)), np.array([], dtype=np.int64))

    def _key(self, params: dict[str, Any], split: Split, epochs: Any) -> str:
        parts = [
            split.train.tolist(),
            split.stop.tolist(),
            None if split.held_out is None else split.held_out.tolist(),
        ]
        identity = self.identity if params["aug.enabled"] else self._plain_identity
        used = {name: identity["backbones"][name] for name in self.agent.backbones(Hyperparameters.of(params))}
        return hash_value([{**identity, "backbones": used}, params, split.name, parts, epochs], 24)

    def _learn(
        self,
        hyper: Hyperparameters,
        split: Split,
        epochs: int,
        on_epoch: OnEpoch | None,
        checkpoint: Path,
        until: int | None = None,
    ) -> tuple[nn.Module, Lesson, Outcome]:
        """Build a model and train it."""
        seed = derive_seed(self.settings.config.seed, split.name)
        torch.manual_seed(seed)
        names = self.agent.backbones(hyper)
        features = self.features(hyper)
        # Begun before the model is built: the first epoch's texts are then ready when it begins.
        augmentation = self.augmentation(hyper, features, split.train, seed) if hyper.augment else None
        model, _ = self.model(hyper)
        lesson = Lesson(self.agent, self.examples, features, hyper, split.train, split.stop, augmentation)
        outcome = train(
            model,
            lesson,
            self.device,
            epochs=epochs,
            patience=self.settings.config.training.patience,
            seed=seed,
            on_epoch=on_epoch,
            keep_best=split.held_out is not None,
            checkpoint=checkpoint,
            memory=MicroBatches(self._cache / "micro_batches.json", self.device.model, *names, hyper.max_length),
            until=until,
        )
        return model, lesson, outcome

    def _train(
        self,
        hyper: Hyperparameters,
        split: Split,
        key: str,
        epochs: int,
        on_epoch: OnEpoch | None,
        checkpoint: Path,
    ) -> Run:
        started = now()
        model, lesson, outcome = self._learn(hyper, split, epochs, on_epoch, checkpoint)
        if outcome.stopped == "pruned":
            raise PrunedError(outcome)
        held_out = {} if split.held_out is None else self._hold_out(model, lesson, split.held_out)
        return Run(
            provenance=self.provenance(started),
            agent=self.agent.name,
            key=key,
            split=split.name,
            params=hyper.params(),
            epochs=epochs,
            best_epoch=outcome.best_epoch,
            stopped=outcome.stopped,
            history=outcome.history,
            scores=outcome.scores,
            augmented=outcome.augmented,
            performance=outcome.performance,
            **held_out,
        )

    def model(self, hyper: Hyperparameters) -> tuple[nn.Module, Features]:
        """Return an untrained model and what it reads. The heads' weights come from torch's global generator."""
        gc.collect()  # models refer to themselves: an earlier one's weights are not free before
        features = self.features(hyper)
        encoders = [
            self.backbones.encoder(name, tokens.vocabulary)
            for name, tokens in zip(self.agent.backbones(hyper), features.tokens, strict=True)
        ]
        return self.agent.model(encoders, [tokens.cls_token_id for tokens in features.tokens], hyper), features

    def features(self, hyper: Hyperparameters) -> Features:
        """Return the features, remembering the last: seeds and folds of one configuration share them."""
        key = (self.agent.backbones(hyper), hyper.max_length, hyper.overlap, hyper.augment)
        if self._last is None or self._last[0] != key:
            words = self._new_words if hyper.augment else []
            made = make_features(self.agent, self.examples, hyper, self.backbones, self._cache / "tokens", words)
            self._last = key, made.to(self.device.torch)
        return self._last[1]

    def augmentation(
        self, hyper: Hyperparameters, features: Features, train: NDArray[np.int64], seed: int
    ) -> Augmentation:
        """Return what augments the texts of examples[train]."""
        augmenter = Augmenter(self._banks, self._texts, hyper, seed=seed)

        def tokenize(examples: Examples) -> Features:
            return more_features(self.agent, examples, hyper, self.backbones, features, self.examples.first)

        return Augmentation(augmenter, features, train, tokenize)

    def _hold_out(self, model: nn.Module, lesson: Lesson, held_out: NDArray[np.int64]) -> dict[str, Any]:
        """Score the held-out part; whatever is fitted is fitted on the part that chose the best epoch."""
        agent, examples, hyper = lesson.agent, lesson.examples, lesson.hyper
        reference = predict(model, lesson, lesson.stop, self.device)
        temperatures = agent.temperatures(reference, examples, lesson.stop, hyper)
        reading = predict(model, lesson, held_out, self.device)
        answers = agent.answer(reading, examples, held_out, hyper, temperatures)
        return {
            "temperatures": temperatures,
            "held_out": agent.scores(answers, examples, held_out),
            "examples": [examples.ids[i] for i in held_out],
            "answers": agent.dump(answers),
        }


def _replay(run: Run, on_epoch: OnEpoch | None) -> Run:
    """Tell a stored run's epochs again; pruned, it counts for no more than the epochs that were told."""
    if on_epoch is not None and (pruned := replay(run.history, on_epoch)) is not None:
        pruned.performance = run.performance
        raise PrunedError(pruned)
    return run
