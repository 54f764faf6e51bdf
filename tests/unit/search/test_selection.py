import pytest

from lib.errors import UserError
from lib.schemas.search import TrialResult
from lib.search.collect import rank_trials
from lib.search.selection import choose_candidates


def result(number: int, score: float, error: float, rank: int = 0, **more: object) -> TrialResult:
    fields: dict = {"state": "COMPLETE", "params": {"n": number}, "seeds": []}
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
    assert [c.trial for c in choose_candidates(pool, 5)] == [0, 2, 3, 1, 4]
    for k in range(1, 5):
        assert choose_candidates(pool, 5)[:k] == choose_candidates(pool, k)
    with pytest.raises(UserError, match="only 5 distinct completed configurations"):
        choose_candidates(pool, 6)


def test_completed_trials_rank_first_and_pruned_ones_by_their_epochs() -> None:
    def seeds(n: int) -> list[dict]:
        return [
            {
                "seed": 0,
                "key": "",
                "objective": 0,
                "calibration_error": 0,
                "best_epoch": 1,
                "epochs_run": n,
                "stopped": "pruned",
            }
        ]

    pool = [
        result(0, 0.9, 0, state="PRUNED", seeds=seeds(2)),
        result(1, 0.5, 0),
        result(2, 0.4, 0, state="PRUNED", seeds=seeds(6)),
        result(3, 0.6, 0),
        result(4, 0.0, 0, state="FAIL"),
    ]
    assert [r.number for r in rank_trials(pool)] == [3, 1, 2, 0]
