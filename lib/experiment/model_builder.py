"""Builds what a training needs of one agent: features, a model, and augmented examples."""

import gc
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from lib.agents.agent import Agent, Features
from lib.augmentation.augmenter import AugmentableTexts, Augmenter
from lib.augmentation.bank import Bank, BankManifest, variants_path
from lib.augmentation.methods import strategies_methods
from lib.devices.device import Device
from lib.errors import UserError
from lib.modeling.backbones import Backbones
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.space import Space
from lib.tasks.examples import Examples
from lib.training.epoch_data import EpochAugmentation
from lib.training.features import make_features, more_features


class ModelBuilder:
    """Builds for one agent and its examples. It keeps the last features: seeds and folds share them."""

    def __init__(self, agent: Agent, examples: Examples, results: Path, device: Device) -> None:
        self.backbones = Backbones(results / "backbones")
        self._agent, self._examples, self._device = agent, examples, device
        self._tokens, self._variants = results / "cache" / "tokens", results / "cache" / "augmentation"
        self._manifest = results / agent.name / "augmentation" / "bank.json"
        self._last: tuple[Any, Features] | None = None

    def model(self, hyper: Hyperparameters) -> tuple[nn.Module, Features]:
        """Return an untrained model and what it reads. The heads' weights come from torch's global generator."""
        gc.collect()  # models refer to themselves: an earlier one's weights are not free before
        features = self.features(hyper)
        encoders = [
            self.backbones.encoder(name, tokens.vocabulary)
            for name, tokens in zip(self._agent.backbones(hyper), features.tokens, strict=True)
        ]
        return self._agent.model(encoders, [tokens.cls_token_id for tokens in features.tokens], hyper), features

    def features(self, hyper: Hyperparameters) -> Features:
        """Return the features of all examples, on the device."""
        key = (self._agent.backbones(hyper), hyper.max_length, hyper.overlap, hyper.augment)
        if self._last is None or self._last[0] != key:
            words = self._new_words if hyper.augment else []
            made = make_features(self._agent, self._examples, hyper, self.backbones, self._tokens, words)
            self._last = key, made.to(self._device.torch)
        return self._last[1]

    def augmentation(
        self, hyper: Hyperparameters, features: Features, train: NDArray[np.int64], seed: int
    ) -> EpochAugmentation:
        """Return what augments the training examples of each epoch.

        Args:
            hyper: Which methods, and how often.
            features: Of all examples, on the device.
            train: (n,) the examples to learn from.
            seed: Of all draws.
        """
        augmenter = Augmenter(self._banks, self._texts, hyper, seed=seed)

        def tokenize(examples: Examples) -> Features:
            return more_features(self._agent, examples, hyper, self.backbones, features, self._examples.first)

        return EpochAugmentation(augmenter, features, train, tokenize)

    @cached_property
    def bank(self) -> BankManifest:
        """What the bank of augmented texts holds."""
        return BankManifest.read(self._manifest)

    def check_bank(self, space: Space) -> None:
        """Raise UserError if the bank lacks a method that the space may ask for."""
        missing = sorted(set(strategies_methods(space.strategies)) - self.bank.methods.keys())
        missing += [n for n, e in self.bank.methods.items() if not variants_path(self._variants, e.key).exists()]
        if missing:
            raise UserError(
                f"{self._manifest}: no texts augmented by {', '.join(missing)}; remove it to have them computed again"
            )

    @cached_property
    def _banks(self) -> dict[str, Bank]:
        bank = self.bank
        return {
            name: Bank(variants_path(self._variants, entry.key), bank.levels, bank.variants)
            for name, entry in bank.methods.items()
        }

    @cached_property
    def _texts(self) -> AugmentableTexts:
        return AugmentableTexts(self._examples, whole=not self._agent.reads_posts)

    @cached_property
    def _new_words(self) -> list[str]:
        """Every word that augmentation may bring, in a fixed order."""
        return sorted(set[str]().union(*(bank.words() for bank in self._banks.values())))
