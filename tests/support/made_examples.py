"""Examples of one text, and two windows of one pair, for tests of tasks and metrics."""

from collections.abc import Sequence

import numpy as np
import torch

from lib.corpus.sentences import Characters
from lib.modeling.tokens import Batch, SpecialTokens, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, Targets
from support.tiny import params


def make_examples(
    text: str, answers: Sequence[list[Characters]], criterion: Sequence[str], posts: Sequence[str] | None = None
) -> Examples:
    """Make annotated examples with this text, which are positive where there is an answer."""
    n = len(answers)
    post_id = [f"p{i}" for i in range(n)] if posts is None else list(posts)
    return Examples(
        criterion_text=["?"] * n,
        text=[text] * n,
        label=np.array([int(bool(spans)) for spans in answers]),
        gold_spans=list(answers),
        criterion=list(criterion),
        post_id=post_id,
        group=np.unique(post_id, return_inverse=True)[1],
        annotated=np.ones(n, dtype=bool),
        natural=np.ones(n, dtype=bool),
        counted=np.ones(n, dtype=bool),
        ids=[f"{i} {name}" for i, name in enumerate(criterion)],
    )


def hyper(**more: object) -> Hyperparameters:
    """Return hyper-parameters without label smoothing."""
    return Hyperparameters.of(
        params(**{"loss.label_smoothing": 0.0, "loss.positive_weight": 1.0, "loss.focal_gamma": 0.0} | more)
    )


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
