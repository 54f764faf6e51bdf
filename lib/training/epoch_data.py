"""Features of an epoch with augmented texts, computed during the previous epoch."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from lib.agents.agent import Features
from lib.augmentation.augmenter import Augmenter
from lib.devices.process import background_thread
from lib.tasks.examples import Examples, Targets
from lib.tasks.task import Index


@dataclass(frozen=True)
class EpochData:
    """What the model trains on in an epoch.

    Attributes:
        features: Of all examples, and after them of the augmented ones.
        windows: The windows of the annotated examples. Those of augmented examples replace those of the originals.
        applied: How often each augmentation method changed an example.
    """

    features: Features
    windows: Index
    applied: Counter[str]


class EpochAugmentation:
    """Augments the training examples of each epoch in a thread of its own, one epoch ahead."""

    def __init__(
        self, augmenter: Augmenter, base: Features, train: Index, tokenize: Callable[[Examples], Features]
    ) -> None:
        """Start with the first epoch.

        Args:
            augmenter: Draws the augmented examples of an epoch.
            base: Features of all examples, on the device of the training.
            train: (n,) the annotated examples to train on.
            tokenize: Returns the features of augmented examples, in the vocabularies of `base`.
        """
        self._augmenter, self._base, self._train, self._tokenize = augmenter, base, train, tokenize
        self._windows, self._weight = base.windows(train), _weight_of_a_pair(base)
        self._ahead = {1: self._submit(1)}

    def epoch_data(self, epoch: int, *, last: bool) -> EpochData:
        """Return the data of an epoch, and start to compute those of the next one.

        Args:
            epoch: Counted from 1.
            last: Whether no epoch follows.

        Returns:
            The features and windows of the epoch.
        """
        future = self._ahead.pop(epoch, None) or self._submit(epoch)
        if not last:
            self._ahead[epoch + 1] = self._submit(epoch + 1)
        return future.result()

    def close(self) -> None:
        """Cancel the epochs whose computation has not started."""
        for future in self._ahead.values():
            future.cancel()

    def _submit(self, epoch: int) -> Future[EpochData]:
        return background_thread("augmentation").submit(self._make, epoch)

    def _make(self, epoch: int) -> EpochData:
        drawn = self._augmenter.epoch(self._train, epoch)
        if not len(drawn.index):
            return EpochData(self._base, self._windows, drawn.applied)
        base, more = self._base, self._tokenize(drawn.examples)
        # A pair counts as much as it does without its augmented text, however many windows the augmented ones have.
        weight = more.targets.weight * (self._weight / _weight_of_a_pair(more))
        more = replace(more, targets=replace(more.targets, weight=weight))
        kept = self._windows[~np.isin(base.tokens[0].pair[self._windows], drawn.index)]
        first = len(base.tokens[0].pair)
        added = np.arange(first, first + len(more.tokens[0].pair))
        return EpochData(_append_features(base, more, drawn.index), np.concatenate([kept, added]), drawn.applied)


def _append_features(base: Features, more: Features, index: Index) -> Features:
    """Append the windows of augmented examples, which are variants of the examples `index`."""
    device = base.tokens[0].ids.device
    more = more.to(device)
    concatenated = {id(old): old.followed_by(new, index) for old, new in zip(base.tokens, more.tokens, strict=True)}
    return Features(
        tuple(concatenated[id(old)] for old in base.tokens), Targets.concatenated(base.targets, more.targets)
    )


def _weight_of_a_pair(features: Features) -> float:
    """Return the mean weight of the pairs that teach anything, summed over their windows."""
    weight = features.targets.weight.cpu().numpy()
    pairs = np.unique(features.tokens[0].pair[weight > 0])
    return float(weight.sum()) / max(1, len(pairs)) or 1.0
