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


def test_positives_weigh_more_and_easy_examples_less() -> None:
    known, task = tokens(), LabelTask()
    _, targets = batch_of(known, make_targets(known, np.array([0]), [[]]))
    targets.label[1] = 1
    logits = torch.tensor([[0.0, 2.0], [0.0, 1.5]], requires_grad=True)
    p = logits.detach().softmax(1)
    own = [-float(torch.log(p[0, 0])), -float(torch.log(p[1, 1]))]

    def loss(**more: float) -> torch.Tensor:
        return task.loss({"label": logits}, targets, hyper(**more))

    assert loss(**{"loss.positive_weight": 4.0}).item() == pytest.approx(own[0] + 4 * own[1], rel=1e-5)
    focal = own[0] * (1 - p[0, 0].item()) ** 2 + own[1] * (1 - p[1, 1].item()) ** 2
    assert loss(**{"loss.focal_gamma": 2.0}).item() == pytest.approx(focal, rel=1e-5)
    (gradient,) = torch.autograd.grad(loss(**{"loss.focal_gamma": 0.5}), logits)
    assert torch.isfinite(gradient).all()
