from typing import get_args

import numpy as np
import pytest
from scipy.special import expit
from support.windows import hyper

from lib.settings.hyperparameters import NullPolicy
from lib.tasks.decision import fit_temperature, negative_log_likelihood
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


@pytest.mark.parametrize("policy", get_args(NullPolicy))
def test_null_policies_by_hand(policy: str) -> None:
    """The first example has two spans with a score of 1. Each has probability 0.42, and no answer has 0.155."""
    logits = [[(0, 6, 1.0), (7, 18, 1.0)], [(0, 6, -3.0)], []]

    def yes(**more: object) -> list[bool]:
        chosen = hyper(**{"null_policy.name": policy} | {f"null_policy.{k}": v for k, v in more.items()})
        return SpanTask().decide(logits, np.ones(3), chosen).yes.tolist()

    if policy == "none":
        assert yes() == [True, True, False]
    elif policy == "threshold":
        assert yes(threshold=0.84) == [True, False, False] and yes(threshold=0.85) == [False, False, False]
        assert yes(threshold=0.04) == [True, True, False]
    elif policy == "ratio":
        assert yes(ratio=2.7) == [True, False, False] and yes(ratio=2.8) == [False, False, False]
    else:
        assert yes() == [True, False, False]


@pytest.mark.parametrize("policy", get_args(NullPolicy))
def test_null_policies_move_the_decision_of_a_label(policy: str) -> None:
    odds = np.log(np.array([0.4 / 0.6, 0.6 / 0.4]))

    def yes(**more: object) -> list[bool]:
        chosen = hyper(**{"null_policy.name": policy} | {f"null_policy.{k}": v for k, v in more.items()})
        return LabelTask().decide(odds, np.ones(2), chosen).yes.tolist()

    expected = {"threshold": [True, True], "ratio": [True, True]}
    assert yes(threshold=0.35, ratio=0.5) == expected.get(policy, [False, True])


def test_a_temperature_is_recovered() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(0, 2, 20_000)
    truth = (rng.random(20_000) < expit(odds)).astype(int)
    found = fit_temperature(lambda t: negative_log_likelihood(expit(3 * odds / t), truth))
    assert found == pytest.approx(3, rel=0.05)
