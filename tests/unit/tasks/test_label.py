import numpy as np
import pytest
import torch
from support.made_examples import batch_of, hyper, tokens
from torch.nn import functional as F

from lib.tasks.examples import make_targets
from lib.tasks.label import LabelTask


def test_the_label_of_a_post_comes_from_its_window_with_the_highest_log_odds() -> None:
    known, task = tokens(), LabelTask()
    batch, targets = batch_of(known, make_targets(known, np.array([1]), [[(7, 18)]]))
    logits = torch.tensor([[0.0, 2.0], [0.0, -1.0]])
    rows = {n: v.numpy() for n, v in task.window_logits({"label": logits}, targets, batch, hyper()).items()}
    assert task.combine_windows(rows, known, np.arange(2), np.array([0])).tolist() == [2.0]
    loss = task.loss({"label": logits}, targets, hyper())
    assert loss == pytest.approx(float(F.cross_entropy(logits, targets.label, reduction="sum")))
    assert targets.label.tolist() == [1, 1] and targets.weight.tolist() == [1.0, 1.0]
