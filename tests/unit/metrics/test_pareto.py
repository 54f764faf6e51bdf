import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.metrics.pareto import non_dominated_ranks
from lib.reporting import figures


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30))
def test_nothing_dominates_the_front_and_each_rank_is_dominated_by_the_one_before(points) -> None:
    ranks = non_dominated_ranks(points)

    def dominates(a, b) -> bool:
        return a[0] >= b[0] and a[1] <= b[1] and a != b

    for point, own in zip(points, ranks, strict=True):
        dominators = [r for p, r in zip(points, ranks, strict=True) if dominates(p, point)]
        assert own == max(dominators, default=-1) + 1


def test_hypervolume_by_hand() -> None:
    assert figures.hypervolume([(0.5, 0.2)]) == pytest.approx(0.5 * 0.8)
    assert figures.hypervolume([(0.5, 0.2), (0.8, 0.5), (0.4, 0.3)]) == pytest.approx(0.5 * 0.8 + 0.3 * 0.5)
