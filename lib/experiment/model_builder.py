"""Build features, a model and augmented examples for a training of one agent."""

import gc
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lib.agents.agent import Agent, Features
from lib.augmentation.augmenter import AugmentableTexts, Augmenter
from lib.augmentation.bank import MethodVariants, variants_path
from lib.augmentation.methods import strategies_methods
from lib.augmentation.reserved import TfidfWeights
from lib.corpus.tfidf import WORD_TO_IDF
from lib.devices.device import Device
from lib.errors import UserError
from lib.modeling.backbones import Backbones
from lib.schemas.augmentation import BankManifest, SplitTfidf
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.space import Space
from lib.tasks.examples import Examples
from lib.training.epoch_data import EpochAugmentation
from lib.training.features import features_of_augmented, make_features


class ModelBuilder:
    """Builds models and features for one agent and its examples.

    It keeps the last features, because the seeds and folds of a configuration share them.
    """

    def __init__(self, agent: Agent, examples: Examples, results: Path, device: Device) -> None:
        """Set the agent and the folders; nothing is loaded yet.

        Args:
            agent: Makes the model and reads the examples.
            examples: All examples of the development set.
            results: Folder of all results, with the fetched backbones and the bank of augmented texts.
            device: Device that the features are moved to.
        """
        self.backbones = Backbones(results / "backbones")
        self._agent, self._examples, self._device = agent, examples, device
        self._tokens, self._variants = results / "cache" / "tokens", results / "cache" / "augmentation"
        self._tfidf = results / "cache" / "tfidf"
        self._manifest = results / agent.name / "augmentation" / BankManifest.FILE
        self._last: tuple[Any, Features] | None = None

    def model(self, hyper: Hyperparameters) -> tuple[nn.Module, Features]:
        """Return an untrained model and the features that it reads.

        The weights of new heads are drawn from torch's global generator.
        """
        gc.collect()  # models hold reference cycles, so an earlier one's weights are not freed before
        features = self.features(hyper)
        encoders = [
            self.backbones.encoder(name, tokens.vocabulary)
            for name, tokens in zip(self._agent.backbone_names(hyper), features.tokens, strict=True)
        ]
        return self._agent.model(encoders, [tokens.special for tokens in features.tokens], hyper), features

    def features(self, hyper: Hyperparameters) -> Features:
        """Return the features of all examples, on the device; they are kept for the next call."""
        key = (self._agent.backbone_names(hyper), hyper.max_length, hyper.overlap, hyper.augment)
        if self._last is None or self._last[0] != key:
            words = self._new_words if hyper.augment else []
            made = make_features(self._agent, self._examples, hyper, self.backbones, self._tokens, words)
            self._last = key, made.to(self._device.torch)
        return self._last[1]

    def augmentation(
        self, hyper: Hyperparameters, features: Features, train: NDArray[np.int64], split: str, seed: int
    ) -> EpochAugmentation:
        """Return the augmentation of the training examples, which makes the data of each epoch.

        Args:
            hyper: Hyper-parameters; they say which methods are applied, and how often.
            features: Features of all examples, on the device.
            train: Indices of the training examples, (n,).
            split: Name of the split, for what was fitted on its training part.
            seed: Seed of all random choices.

        Returns:
            The augmentation; it already prepares the first epoch, and the caller closes it.

        Raises:
            UserError: The bank does not know the split.
        """
        fitted = self.bank.splits.get(split)
        if fitted is None:
            raise UserError(
                f"{self._manifest}: has no TF-IDF of '{split}'; remove the file to have it computed again"
            )
        banks = {**self._banks, "tfidf": self._variants_of(fitted.variants)}
        weights = TfidfWeights.read(self._tfidf / fitted.tfidf)
        augmenter = Augmenter(banks, self._texts, hyper, weights, seed=seed)

        def tokenize(examples: Examples) -> Features:
            return features_of_augmented(
                self._agent, examples, hyper, self.backbones, features, self._examples.criterion_text
            )

        return EpochAugmentation(augmenter, features, train, tokenize)

    @cached_property
    def bank(self) -> BankManifest:
        """Manifest of the bank of augmented texts."""
        return BankManifest.read(self._manifest)

    def check_bank(self, space: Space) -> None:
        """Check that the bank holds every method that the space can suggest.

        Raises:
            UserError: A method or its file is missing.
        """
        missing = sorted(set(strategies_methods(space.augmentation_strategies)) - self.bank.methods.keys())
        missing += [n for n, e in self.bank.methods.items() if not variants_path(self._variants, e.key).exists()]
        missing += [f"tfidf for {name}" for name, fitted in self.bank.splits.items() if not self._is_complete(fitted)]
        if missing:
            raise UserError(
                f"{self._manifest}: no texts augmented by {', '.join(missing)}; remove it to have them computed again"
            )

    def _is_complete(self, fitted: SplitTfidf) -> bool:
        variants = variants_path(self._variants, fitted.variants)
        return (self._tfidf / fitted.tfidf / WORD_TO_IDF).exists() and (
            "tfidf" not in self.bank.methods or variants.exists()
        )

    @cached_property
    def _banks(self) -> dict[str, MethodVariants]:
        return {name: self._variants_of(entry.key) for name, entry in self.bank.methods.items()}

    def _variants_of(self, key: str) -> MethodVariants:
        return MethodVariants(variants_path(self._variants, key), self.bank.levels, self.bank.variants)

    @cached_property
    def _texts(self) -> AugmentableTexts:
        return AugmentableTexts(self._examples, whole=not self._agent.reads_posts)

    @cached_property
    def _new_words(self) -> list[str]:
        """Every word that augmentation can add in any split, in a fixed order, so that splits share the features."""
        own = {fitted.variants for fitted in self.bank.splits.values()} if "tfidf" in self._banks else set[str]()
        banks = [*self._banks.values(), *map(self._variants_of, sorted(own))]
        return sorted(set[str]().union(*(bank.words() for bank in banks)))
