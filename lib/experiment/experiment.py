"""Run one training from settings to scores, or take it from the store of finished runs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import nn

from lib.agents import get_agent
from lib.agents.agent import Agent, Features
from lib.corpus.store import DevelopmentSet, load_development
from lib.devices.device import Device, choose_device
from lib.devices.process import seeded_torch
from lib.experiment.model_builder import ModelBuilder
from lib.experiment.run_store import RunStore, run_key
from lib.experiment.splits import Split, Splits
from lib.files.hashing import derive_seed
from lib.metrics.objective import Objective
from lib.modeling.tokens import check_criteria_fit
from lib.schemas.document import NO_TRAINING, Provenance, make_provenance, now, training_versions
from lib.schemas.run import Run
from lib.settings.hyperparameters import NULL_POLICY, Hyperparameters, NullPolicy, Optimizer
from lib.settings.load import Settings
from lib.tasks.examples import Examples, WeightedSample
from lib.training.data import TrainingData, TrainingFailure
from lib.training.engine import OnEpoch, TrainingOptions, TrainingResult, replay_history, train
from lib.training.inference import predict_logits
from lib.training.memory import MicroBatches
from lib.training.optimizers import OptimizerScale, check_optimizers

# Increase it when the engine gives other numbers for the same hyper-parameters, or when sentences are cut in another
# way, so that old runs are not reused.
ENGINE_VERSION = 21


class TrialPruned(Exception):
    """A training was stopped early because the trial is not promising enough.

    Attributes:
        result: The result at the epoch that was pruned.
    """

    def __init__(self, result: TrainingResult) -> None:
        super().__init__("pruned")
        self.result = result


@dataclass(frozen=True)
class TrainedModel:
    """A model after its training.

    Attributes:
        model: The trained model, on the device.
        features: Features of all examples.
        result: The result of the training.
    """

    model: nn.Module
    features: Features
    result: TrainingResult


class Experiment:
    """Trains the configurations of one agent; data that all trainings share is loaded once per process."""

    def __init__(self, settings: Settings, agent: str, results: Path) -> None:
        """Load the development set and make the agent's examples.

        Args:
            settings: The resolved settings.
            agent: Name of the agent.
            results: Folder of all results, in which the corpus has been prepared.
        """
        self.settings = settings
        self.agent: Agent = get_agent(agent)
        self.results = results
        self.development: DevelopmentSet = load_development(results / "corpus")
        self.examples: Examples = self.agent.examples(self.development)
        self.objective = Objective.of(settings.config.objective)
        self.splits = Splits(settings.config, self.development, self.agent, self.examples)
        self._cache = results / "cache"
        self._store = RunStore(results / agent / "runs", self._cache / "checkpoints")

    @cached_property
    def device(self) -> Device:
        """The device of trainings; it is chosen on first use, because a job that collects results needs no GPU."""
        return choose_device(self.settings.config.training)

    @cached_property
    def builder(self) -> ModelBuilder:
        """The builder of models and their inputs."""
        return ModelBuilder(self.agent, self.examples, self.results, self.device)

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All settings that two runs must share to be comparable, except hyper-parameters, split and epochs."""
        if not self.settings.space.augments:
            return self.identity_without_augmentation
        methods = self.builder.bank.methods
        return {
            **self.identity_without_augmentation,
            "augmentation": {name: entry.key for name, entry in methods.items()},
        }

    @cached_property
    def identity_without_augmentation(self) -> dict[str, Any]:
        """The identity of runs without augmentation; they need no bank of augmented texts."""
        training = self.settings.config.training
        return {
            "engine": ENGINE_VERSION,
            "packages": training_versions(),
            "device": self.device.torch.type,
            "compile": self.device.compile,
            "agent": self.agent.name,
            "seed": self.settings.config.seed,
            "corpus": self.development.corpus_hash,
            "backbones": self.fingerprints(),
            "optimizers": {n: each.model_dump(exclude={"source"}) for n, each in self.settings.optimizers.items()},
            "precision": "bf16" if self.device.bf16 else "fp32",
            "patience": training.patience,
            "development": self.development.fingerprint,
            "objective": self.settings.config.objective.model_dump(mode="json"),
            "null_policies": list(self.policies({})),
        }

    def policies(self, params: Mapping[str, Any]) -> tuple[NullPolicy, ...]:
        """Return the null policies that a training tries: that of its parameters, or else the configured ones."""
        if NULL_POLICY in params:
            return (params[NULL_POLICY],)
        return self.agent.distinct_policies(self.settings.config.decision.null_policies)

    def fingerprints(self) -> dict[str, str]:
        """Return the content hash of each backbone of the space."""
        return {name: self.builder.backbones.fingerprint(name) for name in self.settings.space.backbones}

    def provenance(self, started: str) -> Provenance:
        """Return the provenance of a document that was begun at `started` (as `now` returns it)."""
        return make_provenance(
            self.settings,
            started=started,
            corpus_hash=self.development.corpus_hash,
            device=str(self.device) if "device" in vars(self) else NO_TRAINING,
        )

    def check(self) -> None:
        """Check the settings that would otherwise fail during a search.

        Raises:
            UserError: An optimizer is not installed, the bank lacks a method, or a max_length is too short.
        """
        space = self.settings.space
        check_optimizers(space.optimizers)
        if space.augments:
            self.builder.check_bank(space)
        for name in space.backbones:
            tokenizer = self.builder.backbones.tokenizer(name)
            check_criteria_fit(tokenizer, self.development.criteria, space.shortest_length, name)

    def run(
        self,
        params: dict[str, Any],
        split: Split,
        *,
        epochs: int,
        last_epoch: int | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> Run:
        """Return the run for these hyper-parameters, from the store or trained now and stored.

        A training that was killed is resumed from its checkpoint.

        Args:
            params: Hyper-parameters, under the names of the search space.
            split: The examples to train on, to validate on and, in Stage C, to hold out.
            epochs: Epochs for which the learning rate schedule is laid out, and the most that it trains.
            last_epoch: Epoch after which the training ends in any case; None for `epochs`.
            on_epoch: Called with (epoch, best objective so far) after each epoch; True stops the training. A stored
                run is replayed through it.

        Returns:
            The finished run, with scores on the validation part and on the held-out part, if there is one.

        Raises:
            TrialPruned: on_epoch stopped the training.
            TrainingFailure: The loss is not finite, or the model does not fit into memory.
        """
        key = self._key(params, split, epochs if last_epoch is None else [epochs, last_epoch])
        stored = self._store.get(key)
        if stored is not None:
            return _replay(stored, on_epoch)
        try:
            run = self._train(params, split, key, (epochs, last_epoch), on_epoch)
        except (TrialPruned, TrainingFailure):
            self._store.discard_checkpoint(key)
            raise
        self._store.put(run)
        return run

    def train_on_all_key(
        self, params: dict[str, Any], *, schedule_epochs: int, last_epoch: int, repetition: int
    ) -> str:
        """Return the hash that names a training on all examples.

        Args:
            params: Hyper-parameters, under the names of the search space.
            schedule_epochs: Epochs for which the learning rate schedule is laid out.
            last_epoch: Epoch after which the training ends.
            repetition: Number of the training, from 0; each has another seed.

        Returns:
            24 hexadecimal digits.
        """
        return self._key(params, self.splits.without_validation(repetition), [schedule_epochs, last_epoch])

    def train_on_all(
        self, params: dict[str, Any], *, schedule_epochs: int, last_epoch: int, repetition: int
    ) -> TrainedModel:
        """Train on all examples, without a validation part.

        A training that was killed is resumed from its checkpoint. The caller keeps the model; no run is stored.

        Args:
            params: Hyper-parameters, under the names of the search space.
            schedule_epochs: Epochs for which the learning rate schedule is laid out.
            last_epoch: Epoch after which the training ends.
            repetition: Number of the training, from 0; each has another seed.

        Returns:
            The trained model, without scores.

        Raises:
            TrainingFailure: The loss is not finite, or the model does not fit into memory.
        """
        key = self.train_on_all_key(
            params, schedule_epochs=schedule_epochs, last_epoch=last_epoch, repetition=repetition
        )
        options = TrainingOptions(
            epochs=schedule_epochs,
            patience=self.settings.config.training.patience,
            checkpoint=self._store.checkpoint(key),
            stop_after=last_epoch,
            scale=self._scale(params["optim.name"]),
        )
        trained, _ = self._learn(params, self.splits.without_validation(repetition), options)
        self._store.discard_checkpoint(key)
        return trained

    def _scale(self, optimizer: Optimizer) -> OptimizerScale:
        found = self.settings.optimizers.get(optimizer)
        return OptimizerScale() if found is None else OptimizerScale(found.rate, found.decay)

    def _key(self, params: dict[str, Any], split: Split, epochs: Any) -> str:
        identity = self.identity if params["aug.enabled"] else self.identity_without_augmentation
        identity = {**identity, "null_policies": list(self.policies(params))}
        del identity["optimizers"]
        used = {name: identity["backbones"][name] for name in self.agent.backbone_names(Hyperparameters.of(params))}
        scale = asdict(self._scale(params["optim.name"]))
        return run_key({**identity, "backbones": used, "scale": scale}, params, split, epochs)

    def _learn(
        self, params: dict[str, Any], split: Split, options: TrainingOptions
    ) -> tuple[TrainedModel, TrainingData]:
        """Build a model and train it."""
        hyper = Hyperparameters.of(params)
        seed = derive_seed(self.settings.config.seed, split.name)
        with seeded_torch(seed):
            features = self.builder.features(hyper)
            # Started before the model is built, so that the first epoch's texts are ready when training begins.
            known = split.train[self.examples.annotated[split.train]]
            augmentation = (
                self.builder.augmentation(hyper, features, known, split.name, seed) if hyper.augment else None
            )
            model, _ = self.builder.model(hyper)
            training_data = TrainingData(
                agent=self.agent,
                examples=self.examples,
                features=features,
                hyper=hyper,
                train=split.train,
                validation=split.validation,
                objective=self.objective,
                augmentation=augmentation,
                policies=self.policies(params),
            )
            names = self.agent.backbone_names(hyper)
            memory = MicroBatches(self._cache / "micro_batches.json", self.device.model, *names, hyper.max_length)
            result = train(model, training_data, self.device, options, seed=seed, memory=memory)
        return TrainedModel(model, features, result), training_data

    def _train(
        self,
        params: dict[str, Any],
        split: Split,
        key: str,
        limits: tuple[int, int | None],
        on_epoch: OnEpoch | None,
    ) -> Run:
        started, (epochs, last_epoch) = now(), limits
        options = TrainingOptions(
            epochs=epochs,
            patience=self.settings.config.training.patience,
            on_epoch=on_epoch,
            keep_best=split.held_out is not None and len(split.validation) > 0,
            checkpoint=self._store.checkpoint(key),
            stop_after=last_epoch,
            scale=self._scale(params["optim.name"]),
        )
        trained, training_data = self._learn(params, split, options)
        result = trained.result
        if result.stopped == "pruned":
            raise TrialPruned(result)
        held_out = {} if split.held_out is None else self._hold_out(trained, training_data, split.held_out)
        return Run(
            provenance=self.provenance(started),
            agent=self.agent.name,
            key=key,
            split=split.name,
            params=params,
            objective=self.objective.name,
            calibration=self.objective.full_calibration_name,
            epochs=epochs,
            best_epoch=result.best_epoch,
            stopped=result.stopped,
            history=result.history,
            scores=result.scores,
            rules=result.rules,
            policy=result.policy,
            augmented=result.augmented,
            performance=result.performance,
            **held_out,
        )

    def _hold_out(self, trained: TrainedModel, data: TrainingData, held_out: WeightedSample) -> dict[str, Any]:
        """Score the held-out part; the rules for each half of its groups are fitted on the other half."""
        agent, examples = data.agent, data.examples
        hyper = data.hyper
        if trained.result.policy is not None:
            hyper = replace(hyper, null_policy=trained.result.policy)
        logits = predict_logits(trained.model, agent, data.features, held_out.index, hyper, self.device)
        values = agent.cross_fit(logits, examples, held_out, hyper)
        scores = agent.scores(logits, values, examples, held_out, hyper)
        return {
            "held_out": self.objective.added_to(scores),
            "examples": [examples.ids[i] for i in held_out.index],
            "logits": agent.dump_logits(logits),
        }


def _replay(run: Run, on_epoch: OnEpoch | None) -> Run:
    """Report the epochs of a stored run again; if it is pruned now, only the reported epochs count."""
    if on_epoch is not None and (pruned := replay_history(run.history, on_epoch)) is not None:
        pruned.performance = run.performance
        raise TrialPruned(pruned)
    return run
