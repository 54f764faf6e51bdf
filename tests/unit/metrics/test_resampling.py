"""Bootstrap intervals and paired tests on small samples of posts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from support.tiny import params

from lib.agents import AGENTS, get_agent
from lib.metrics.resampling import bootstrap, holm, paired_comparison, sum_by_post
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask

TEXT = "I sleep badly and I am always tired of it"


def examples(n: int, rng: np.random.Generator) -> Examples:
    answers = [[(0, 13)] if yes else [] for yes in rng.integers(0, 2, n)]
    return Examples(
        first=["?"] * n,
        second=[TEXT] * n,
        label=np.array([int(bool(a)) for a in answers]),
        answers=answers,
        criterion=[str(name) for name in rng.choice(["A", "B", "C"], n)],
        post_id=[f"p{i // 2}" for i in range(n)],
        ids=[str(i) for i in range(n)],
    )


def random_predictions(name: str, n: int, rng: np.random.Generator) -> dict:
    """Make random predictions, with a few spans of the text and their log-odds for each example."""
    spans = [(0, 13), (2, 7), (18, 41)]
    scored = [[(span, float(rng.normal())) for span in spans] for _ in range(n)]
    return get_agent(name).from_log_odds(scored)


@pytest.mark.parametrize("name", AGENTS)
@given(n=st.integers(1, 40), seed=st.integers(0, 99))
@pytest.mark.slow
def test_scores_follow_from_sums_of_statistics(name: str, n: int, seed: int) -> None:
    rng, agent = np.random.default_rng(seed), get_agent(name)
    data, predictions = examples(n, rng), random_predictions(name, n, rng)
    drawn = rng.integers(0, n, 2 * n)
    statistics, score = agent.sufficient_statistics(predictions, data, np.arange(n))
    again = agent.concatenate([agent.to_logits(predictions, dict.fromkeys(("label", "span"), 1.0))])
    assert set(again) == set(predictions)
    # An example that is drawn twice counts twice, and one that is not drawn does not count.
    picked = {
        task.name: task.predictions.load({k: [v[i] for i in drawn] for k, v in predictions[task.name].dump().items()})
        for task in agent.tasks
    }
    for index, own, sums in (
        (np.arange(n), predictions, statistics.sum(0)),
        (drawn, picked, statistics[drawn].sum(0)),
    ):
        expected = agent.scores(own, data, index)
        assert score(sums[None])[0].tolist() == pytest.approx([expected["f1_macro"], expected["ece"]])


@given(seed=st.integers(0, 99), temperature=st.floats(0.1, 10))
def test_to_logits_inverts_decide(seed: int, temperature: float) -> None:
    rng, hyper = np.random.default_rng(seed), Hyperparameters.of(params())
    odds = rng.normal(0, 3, 9) * temperature
    at = np.full(9, temperature)
    assert LabelTask().decide(odds, at, hyper).to_logits(temperature) == pytest.approx(odds)
    spans = [[(0, 4, 2.0 * temperature), (2, 9, -1.0 * temperature)], [(1, 2, 0.5)], []]
    back = SpanTask().decide(spans, at[:3], hyper).to_logits(temperature)
    assert [[s[:2] for s in each] for each in back] == [[s[:2] for s in each] for each in spans]
    assert [v for e in back for *_, v in e] == pytest.approx([v for e in spans for *_, v in e])


def share_right(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    return (sums[:, :1] / sums[:, 1:]).repeat(2, axis=1)


def random_posts(rng: np.random.Generator, rate: float, posts: int = 60) -> NDArray[np.float64]:
    """Return the correct rows and all rows of each post. The rows of a post are all correct or all wrong."""
    rows = rng.integers(1, 6, posts)
    return np.stack([rows * (rng.random(posts) < rate), rows], axis=1).astype(float)


@pytest.mark.slow
def test_the_interval_contains_the_truth_nineteen_times_in_twenty() -> None:
    rng, held = np.random.default_rng(0), 0
    for seed in range(200):
        interval = bootstrap(random_posts(rng, 0.7), share_right, seed)[0]
        held += interval.low <= 0.7 <= interval.high
    assert 0.89 <= held / 200 <= 0.99


def test_the_interval_of_the_ece_contains_the_ece() -> None:
    """The ECE of a resample is larger than that of all posts, but the interval must still contain the latter."""
    rng, task = np.random.default_rng(3), LabelTask()
    for seed in range(20):
        data = examples(60, rng)
        odds = rng.normal(0, 1, 60) + np.where(data.label == 1, 1, -1)
        statistics = sum_by_post(
            task.sufficient_statistics(task.from_log_odds([[((0, 1), o)] for o in odds]), data, np.arange(60)),
            data.post_id,
        )
        ece = bootstrap(statistics, task.score_from_statistics, seed)[1]
        assert 0 <= ece.low <= ece.value <= ece.high <= 1


@pytest.mark.slow
def test_equal_models_differ_only_by_chance_and_a_better_one_is_detected() -> None:
    rng, below, found = np.random.default_rng(1), 0, 0
    for seed in range(200):
        first, second, better = random_posts(rng, 0.6), random_posts(rng, 0.6), random_posts(rng, 0.9)
        second[:, 1] = better[:, 1] = first[:, 1]
        second[:, 0], better[:, 0] = np.minimum(second[:, 0], first[:, 1]), np.minimum(better[:, 0], first[:, 1])
        second[:, 0] = first[:, 1] * (second[:, 0] > 0)
        better[:, 0] = first[:, 1] * (better[:, 0] > 0)
        below += paired_comparison(first, second, share_right, seed)[0].p <= 0.05
        found += paired_comparison(better, first, share_right, seed)[0].p <= 0.05
    assert below / 200 <= 0.09 and found / 200 >= 0.8
    same = paired_comparison(first, first, share_right, 0)[0]
    assert (same.value, same.low, same.high, same.p) == (0, 0, 0, 1)


def test_holm_matches_its_definition() -> None:
    """Holm (1979) multiplies the smallest p by n, the next by n - 1 and so on, and keeps the results increasing."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=20))
def test_holm_keeps_the_order_and_never_makes_p_smaller(chances: list[float]) -> None:
    adjusted = holm(chances)
    assert all(p <= q <= 1 for p, q in zip(chances, adjusted, strict=True))
    order = np.argsort(chances, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_rows_of_a_post_are_drawn_together() -> None:
    statistics = np.array([[1.0, 1], [1, 1], [0, 1], [0, 1]])
    assert sum_by_post(statistics, ["a", "a", "b", "b"]).tolist() == [[2, 2], [0, 2]]
    whole, rows = (
        bootstrap(sum_by_post(np.repeat(statistics, 10, axis=0), names), share_right, 0)[0]
        for names in (["a"] * 20 + ["b"] * 20, [str(i) for i in range(40)])
    )
    assert whole.high - whole.low > rows.high - rows.low
