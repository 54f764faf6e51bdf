import pytest

from lib.errors import UserError
from lib.schemas.run import SeedResult, best_policy, mean_over_seeds
from lib.schemas.search import TrialResult
from lib.search.collect import rank_trials
from lib.search.selection import choose_candidates, epochs_to_train


def seed_result(**more: object) -> dict[str, object]:
    scores = {"objective": 0, "calibration_error": 0}
    return {
        "seed": 0,
        "key": "",
        **scores,
        "by_policy": {"ratio": scores},
        "best_epoch": 1,
        "epochs_run": 3,
        "stopped": "epochs",
        **more,
    }


def result(number: int, score: float, error: float, rank: int = 0, **more: object) -> TrialResult:
    fields: dict = {"state": "COMPLETE", "params": {"n": number}, "seeds": [seed_result(best_epoch=2)]}
    fields["policy"] = "ratio"
    return TrialResult(number=number, objective=score, calibration_error=error, rank=rank, **fields | more)


def test_candidates_are_the_best_then_spread_then_the_next_rank() -> None:
    pool = [
        result(0, 0.9, 0.3),
        result(1, 0.89, 0.29),
        result(2, 0.5, 0.0),
        result(3, 0.7, 0.1),
        result(4, 0.6, 0.2, 1),
        result(5, 0.9, 0.3, params={"n": 0}),
    ]
    chosen = choose_candidates(pool, 5, band=1.0)
    assert [c.trial for c in chosen] == [0, 2, 3, 1, 4] and {c.epochs for c in chosen} == {2}
    assert chosen[0].params == {"n": 0, "null_policy.name": "ratio"}
    for k in range(1, 5):
        assert choose_candidates(pool, k, band=1.0) == chosen[:k]
    with pytest.raises(UserError, match="only 5 distinct completed configurations"):
        choose_candidates(pool, 6, band=1.0)


def test_candidates_do_not_come_from_the_collapsed_end_of_the_front() -> None:
    front = [result(n, 0.774 - 0.03 * n, 0.5 - 0.02 * n) for n in range(15)]
    later = [result(20 + n, 0.77 - 0.002 * n, 0.6, rank=1) for n in range(8)]
    chosen = choose_candidates([*front, *later], 10, band=0.1)
    assert [c.trial for c in chosen[:3]] == [0, 2, 1] and {c.trial for c in chosen[3:]} < {t.number for t in later}
    assert min(c.objective for c in chosen) >= 0.9 * 0.774
    few = choose_candidates(front, 5, band=0.1)
    assert sorted(c.trial for c in few[:3]) == [0, 1, 2] and [c.trial for c in few[3:]] == [3, 4], "the next best"


def test_a_training_without_validation_lasts_until_nine_in_ten_seeds_had_their_best_epoch() -> None:
    assert [epochs_to_train(best) for best in ([3], [1, 1, 4], list(range(1, 11)))] == [3, 4, 10]


def test_completed_trials_rank_first_and_pruned_ones_by_their_epochs() -> None:
    def seeds(n: int) -> list[dict]:
        return [seed_result(epochs_run=n, stopped="pruned")]

    pool = [
        result(0, 0.9, 0, state="PRUNED", seeds=seeds(2)),
        result(1, 0.5, 0),
        result(2, 0.4, 0, state="PRUNED", seeds=seeds(6)),
        result(3, 0.6, 0),
        result(4, 0.0, 0, state="FAIL"),
    ]
    assert [r.number for r in rank_trials(pool)] == [3, 1, 2, 0]


def test_a_trial_is_judged_by_the_policy_that_is_best_over_its_seeds() -> None:
    def seed(none: float, ratio: float) -> SeedResult:
        by_policy = {"none": {"objective": none, "calibration_error": 0.2}}
        by_policy["ratio"] = {"objective": ratio, "calibration_error": 0.4}
        return SeedResult.model_validate(seed_result(objective=max(none, ratio), by_policy=by_policy))

    seeds = [seed(0.9, 0.5), seed(0.1, 0.7), seed(0.2, 0.6)]
    assert best_policy(seeds) == "ratio"
    assert mean_over_seeds(seeds) == [pytest.approx(0.6), pytest.approx(0.4)]
