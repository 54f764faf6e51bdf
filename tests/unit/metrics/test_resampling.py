"""Bootstrap intervals and paired tests on small samples of posts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.metrics import average_precision_score, roc_auc_score
from support.made_examples import make_examples
from support.tiny import params

from lib.agents import AGENTS, get_agent
from lib.metrics import resampling
from lib.metrics.resampling import bootstrap, bootstrap_ranking, holm, paired_permutation_test, sum_by_group
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.label import Labels

# The last three characters can be evidence or an answer, but have no words.
TEXT = "I sleep badly and I am always tired of it !!!"


def examples(n: int, rng: np.random.Generator) -> Examples:
    golds = [[], [], [(0, 13)], [(0, 13)], [(42, 45)]]
    answers = [golds[kind] for kind in rng.integers(0, len(golds), n)]
    criterion = [str(name) for name in rng.choice(["A", "B", "C"], n)]
    return make_examples(TEXT, answers, criterion, [f"p{i // 2}" for i in range(n)])


def random_logits(name: str, n: int, rng: np.random.Generator) -> dict:
    """Make random logits from a few spans of the text and their log odds for each example."""
    spans = [(0, 13), (2, 7), (18, 41), (42, 45)]
    scored = [[(span, float(rng.normal())) for span in spans] for _ in range(n)]
    return get_agent(name).logits_from_log_odds(scored)


@pytest.mark.parametrize("name", AGENTS)
@given(n=st.integers(1, 40), seed=st.integers(0, 99))
@pytest.mark.slow
def test_scores_follow_from_sums_of_statistics(name: str, n: int, seed: int) -> None:
    rng, agent = np.random.default_rng(seed), get_agent(name)
    data, logits = examples(n, rng), random_logits(name, n, rng)
    hyper = Hyperparameters.of(params())
    rules = agent.neutral_rules(["A", "B", "C"])
    weight = rng.choice([1.0, 2.5], n)
    # An example that is drawn twice counts twice, and one that is not drawn does not count.
    drawn = rng.integers(0, n, 2 * n)
    predictions = agent.decide(logits, agent.rule_values(rules, data, np.arange(n)), hyper)
    statistics, score = agent.sufficient_statistics(predictions, data, WeightedSample(np.arange(n), weight))
    for places in (np.arange(n), drawn):
        own = agent.decide(agent.select(logits, places), agent.rule_values(rules, data, places), hyper)
        expected = agent.combined_scores(own, data, WeightedSample(places, weight[places]))
        found = score(statistics[places].sum(0)[None])[0]
        parts = {task: expected if len(agent.tasks) == 1 else expected[task.name] for task in agent.tasks}
        wanted = [
            np.mean(
                [
                    np.nan if part[each] is None else part[each]
                    for task, part in parts.items()
                    if each in task.predictions.score_names
                ]
            )
            for each in agent.score_names
        ]
        # The mean over no criterion is undefined, but the search counts it as 0.
        known = ~(np.isnan(found) & np.isin(agent.score_names, ("f1_macro", "token_f1")))
        assert found[known].tolist() == pytest.approx(np.array(wanted)[known].tolist(), nan_ok=True)


@given(seed=st.integers(0, 99))
def test_the_scores_of_a_ranking_are_those_of_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    probability, label = rng.random(50).round(1), rng.integers(0, 2, 50)
    label[:2] = 0, 1
    precision, area = bootstrap_ranking([(probability, label)], rng.integers(0, 9, 50), seed)
    assert precision.value == pytest.approx(average_precision_score(label, probability))
    assert area.value == pytest.approx(roc_auc_score(label, probability))
    assert precision.low <= precision.high and area.low <= area.high


def test_groups_of_other_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="3 probabilities, 3 labels and 4 groups"):
        bootstrap_ranking([(np.array([0.1, 0.2, 0.3]), np.array([0, 1, 0]))], np.arange(4), 0)


@given(seed=st.integers(0, 19))
@settings(max_examples=5, deadline=None)
def test_the_intervals_of_a_ranking_hold_the_samples_of_scikit_learn(seed: int) -> None:
    samples_drawn = 200  # scikit-learn is slow
    rng = np.random.default_rng(seed)
    probability, groups = rng.random(60).round(1), rng.permutation(np.arange(60) % 9)
    label = (rng.random(60) < 0.3).astype(np.int64)
    label[:2] = 0, 1
    drawn = np.random.default_rng(seed).multinomial(9, np.full(9, 1 / 9), samples_drawn)
    samples = [
        [
            of(label, probability, sample_weight=counts[groups])
            for counts in drawn
            if np.ptp(label[counts[groups] > 0])
        ]
        for of in (average_precision_score, roc_auc_score)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resampling, "_FEWER_SAMPLES", samples_drawn)
        intervals = bootstrap_ranking([(probability, label)], groups, seed)
    for interval, own in zip(intervals, samples, strict=True):
        low, high = np.percentile(own, [2.5, 97.5]) - (np.mean(own) - interval.value)
        assert (interval.low, interval.high) == pytest.approx((low, high))


def test_samples_that_leave_a_score_undefined_are_left_out() -> None:
    """A perfect classifier is perfect in each sample with a positive, although a third of them has none."""
    criterion, post = ["A"] * 20, [f"p{i}" for i in range(20)]
    data = make_examples(TEXT, [[(0, 13)], *[[]] * 19], criterion, post)
    right = Labels(np.where(data.label == 1, 0.9, 0.1), data.label == 1)
    statistics = right.sufficient_statistics(data, WeightedSample.uniform(np.arange(20)))
    found = dict(zip(Labels.score_names, bootstrap(statistics, Labels.score_from_statistics, 0), strict=True))
    for name in ("f1_macro", "precision", "sensitivity"):
        assert (found[name].value, found[name].low, found[name].high) == (1, 1, 1), name


def test_two_rankings_of_the_same_pairs_are_averaged_sample_by_sample() -> None:
    """A ranking and its opposite go up and down together, so that their mean varies less than either."""
    rng = np.random.default_rng(5)
    probability, groups, label = rng.random(60), np.arange(60) // 3, (rng.random(60) < 0.4).astype(np.int64)
    one, other = (bootstrap_ranking([(p, label)], groups, 1)[0] for p in (probability, 1 - probability))
    both = bootstrap_ranking([(probability, label), (1 - probability, label)], groups, 1)[0]
    assert both.value == pytest.approx((one.value + other.value) / 2)
    assert both.high - both.low < min(one.high - one.low, other.high - other.low)


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
    rng = np.random.default_rng(3)
    for seed in range(20):
        data = examples(60, rng)
        odds = rng.normal(0, 1, 60) + np.where(data.label == 1, 1, -1)
        predictions = Labels(expit(odds), odds > 0)
        statistics = sum_by_group(
            predictions.sufficient_statistics(data, WeightedSample.uniform(np.arange(60))), data.group
        )
        ece = bootstrap(statistics, Labels.score_from_statistics, seed)[1]
        assert 0 <= ece.low <= ece.value <= ece.high <= 1


@pytest.mark.slow
def test_equal_models_differ_only_by_chance_and_a_better_one_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resampling, "SAMPLES", 999)
    rng, below, found = np.random.default_rng(1), 0, 0
    for seed in range(200):
        first, second, better = random_posts(rng, 0.6), random_posts(rng, 0.6), random_posts(rng, 0.9)
        second[:, 1] = better[:, 1] = first[:, 1]
        second[:, 0], better[:, 0] = np.minimum(second[:, 0], first[:, 1]), np.minimum(better[:, 0], first[:, 1])
        second[:, 0] = first[:, 1] * (second[:, 0] > 0)
        better[:, 0] = first[:, 1] * (better[:, 0] > 0)
        below += paired_permutation_test(first, second, share_right, seed)[0].p <= 0.05
        found += paired_permutation_test(better, first, share_right, seed)[0].p <= 0.05
    assert below / 200 <= 0.09 and found / 200 >= 0.8
    same = paired_permutation_test(first, first, share_right, 0)[0]
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
    assert sum_by_group(statistics, np.array([0, 0, 1, 1])).tolist() == [[2, 2], [0, 2]]
    whole, rows = (
        bootstrap(sum_by_group(np.repeat(statistics, 10, axis=0), groups), share_right, 0)[0]
        for groups in (np.arange(40) // 20, np.arange(40))
    )
    assert whole.high - whole.low > rows.high - rows.low
