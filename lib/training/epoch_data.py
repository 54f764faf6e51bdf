"""An epoch's features with augmented texts in place of some: made while the epoch before is learnt."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from lib.agents.agent import Features
from lib.augmentation.augmenter import Augmenter
from lib.devices.process import background_thread
from lib.tasks.examples import Examples, Targets
from lib.tasks.task import Index


@dataclass(frozen=True)
class EpochData:
    """What an epoch learns from: features, the windows to learn, how often each augmentation method changed one."""

    features: Features
    windows: Index
    applied: Counter[str]


class EpochAugmentation:
    """Makes the material of each epoch, ahead, in a thread of its own."""

    def __init__(
        self, augmenter: Augmenter, base: Features, train: Index, tokenize: Callable[[Examples], Features]
    ) -> None:
        """base: of all examples, on its device. train: the examples to learn. tokenize: for augmented ones."""
        self._augmenter, self._base, self._train, self._tokenize = augmenter, base, train, tokenize
        self._windows = base.windows(train)
        self._ahead = {1: self._submit(1)}

    def material(self, epoch: int, *, last: bool) -> EpochData:
        """Return an epoch's material and begin with the next one's."""
        future = self._ahead.pop(epoch, None) or self._submit(epoch)
        if not last:
            self._ahead[epoch + 1] = self._submit(epoch + 1)
        return future.result()

    def close(self) -> None:
        """Give up what was begun."""
        for future in self._ahead.values():
            future.cancel()

    def _submit(self, epoch: int) -> Future[EpochData]:
        return background_thread("augmentation").submit(self._make, epoch)

    def _make(self, epoch: int) -> EpochData:
        drawn = self._augmenter.epoch(self._train, epoch)
        if not len(drawn.index):
            return EpochData(self._base, self._windows, drawn.applied)
        base, more = self._base, self._tokenize(drawn.examples)
        kept = self._windows[~np.isin(base.tokens[0].pair[self._windows], drawn.index)]
        first = len(base.tokens[0].pair)
        added = np.arange(first, first + len(more.tokens[0].pair))
        return EpochData(_joined(base, more, drawn.index), np.concatenate([kept, added]), drawn.applied)


def _joined(base: Features, more: Features, index: Index) -> Features:
    """Append the windows of more examples, which are variants of examples `index`."""
    device = base.tokens[0].ids.device
    more = more.to(device)
    joined = {id(old): old.followed_by(new, index) for old, new in zip(base.tokens, more.tokens, strict=True)}
    return Features(tuple(joined[id(old)] for old in base.tokens), Targets.concatenated(base.targets, more.targets))
