"""Two windows of one pair, for tests of the tasks."""

import numpy as np
import torch

from lib.modeling.tokens import Batch, SpecialTokens, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Targets
from support.tiny import params


def hyper(**more: object) -> Hyperparameters:
    """Return hyper-parameters without label smoothing."""
    return Hyperparameters.of(params(**{"loss.label_smoothing": 0.0} | more))


def tokens() -> Tokens:
    """Make two windows of one pair, each of cls, question and words. The second starts at 'am'."""
    words = [(0, 6), (7, 8), (9, 11), (12, 18), (19, 23)]
    windows = [[(-1, -1), (-1, -1), *words], [(-1, -1), (-1, -1), *words[2:]]]
    flat = np.array([span for window in windows for span in window], dtype=np.int32)
    ids = torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 1, 4, 5, 6])
    offsets, pair = np.array([0, 7, 12]), np.array([0, 0])
    return Tokens(
        ids, None, offsets, pair, flat[:, 0], flat[:, 1], np.arange(7), 7, SpecialTokens(cls=0, sep=7), pad_left=False
    )


def batch_of(known: Tokens, targets: Targets) -> tuple[Batch, Targets]:
    """Return both windows and their targets as a batch."""
    both = np.arange(2)
    batch = known.batch(both)
    return batch, targets.batch(batch)
