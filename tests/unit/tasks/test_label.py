import numpy as np
import pytest
import torch
from support.tiny import params
from torch.nn import functional as F

from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Targets, make_targets
from lib.tasks.label import LabelTask


def hyper(**more: object) -> Hyperparameters:
    return Hyperparameters.of(params(**{"loss.label_smoothing": 0.0, "null_policy.temperature": 1.0} | more))


def tokens() -> Tokens:
    """Make two windows of one pair, each of cls, question and words. The second starts at 'am'."""
    words = [(0, 6), (7, 8), (9, 11), (12, 18), (19, 23)]
    windows = [[(-1, -1), (-1, -1), *words], [(-1, -1), (-1, -1), *words[2:]]]
    flat = np.array([span for window in windows for span in window], dtype=np.int32)
    ids = torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 1, 4, 5, 6])
    offsets, pair = np.array([0, 7, 12]), np.array([0, 0])
    return Tokens(ids, None, offsets, pair, flat[:, 0], flat[:, 1], np.arange(7), 7, 0, pad_left=False)


def batch_of(known: Tokens, targets: Targets) -> tuple[Batch, Targets]:
    both = np.arange(2)
    batch = known.batch(both)
    return batch, targets.batch(batch)


def test_the_label_of_a_post_comes_from_its_window_with_the_highest_log_odds() -> None:
    known, task = tokens(), LabelTask()
    batch, targets = batch_of(known, make_targets(known, np.array([1]), [[(7, 18)]]))
    logits = torch.tensor([[0.0, 2.0], [0.0, -1.0]])
    rows = {n: v.numpy() for n, v in task.window_logits({"label": logits}, targets, batch, hyper()).items()}
    assert task.gather(rows, known, np.arange(2), np.array([0])).tolist() == [2.0]
    loss = task.loss({"label": logits}, targets, hyper())
    assert loss == pytest.approx(float(F.cross_entropy(logits, targets.label, reduction="sum")))
    assert targets.label.tolist() == [1, 1] and targets.weight.tolist() == [1.0, 1.0]
