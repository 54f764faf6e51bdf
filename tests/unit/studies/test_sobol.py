"""The Sobol design spreads start-up trials over the space."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.tiny import tiny_settings

from lib.settings.hyperparameters import Hyperparameters
from lib.settings.space import Choices, FloatRange, IntRange, Space
from lib.studies.sobol import sobol_design

SPACE = Space(
    parameters={
        "one": Choices(type="categorical", choices=("a",)),
        "kind": Choices(type="categorical", choices=("a", "b", "c")),
        "rate": FloatRange(type="float", low=1e-6, high=1e-3, log=True),
        "share": FloatRange(type="float", low=0.1, high=0.4, step=0.1),
        "layers": IntRange(type="int", low=1, high=3),
        "even": IntRange(type="int", low=2, high=8, step=2),
        "size": IntRange(type="int", low=1, high=100, log=True),
    }
)


@given(st.integers(1, 70), st.integers(0, 2**32))
def test_every_point_lies_in_the_space_and_a_seed_gives_the_same(n: int, seed: int) -> None:
    points = sobol_design(SPACE, n, seed)
    assert len(points) == n and points == sobol_design(SPACE, n, seed)
    for point in points:
        assert point["one"] == "a" and point["kind"] in "abc" and 1e-6 <= point["rate"] <= 1e-3
        assert round(10 * point["share"]) in {1, 2, 3, 4} and point["layers"] in {1, 2, 3}
        assert point["even"] in {2, 4, 6, 8} and 1 <= point["size"] <= 100


def test_the_first_points_are_spread_where_random_ones_cluster() -> None:
    points = sobol_design(SPACE, 64, 0)
    kinds = Counter(point["kind"] for point in points)
    assert max(kinds.values()) - min(kinds.values()) <= 2
    uniform = stats.loguniform(1e-6, 1e-3).cdf([point["rate"] for point in points])
    assert stats.kstest(uniform, "uniform").statistic < 0.04, "random ones: 0.1 at the median"


def test_the_shipped_space_is_covered_and_zero_points_are_allowed() -> None:
    space = tiny_settings().space
    points = sobol_design(space, 8, 1)
    assert all(Hyperparameters.of(point).params().items() >= point.items() for point in points)
    assert sobol_design(space, 0, 1) == []
