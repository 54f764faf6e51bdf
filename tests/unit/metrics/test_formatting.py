import pytest

from lib.metrics.formatting import format_interval, format_p


@pytest.mark.parametrize(("p", "text"), [(0.0127, "0.013"), (0.001, "0.001"), (0.00025, "< 0.001"), (1.0, "1.000")])
def test_a_p_value_is_never_written_as_zero(p: float, text: str) -> None:
    assert format_p(p) == text


def test_an_interval_follows_its_score() -> None:
    assert format_interval({"value": 0.7123, "low": 0.69, "high": 0.7333}) == "0.712 [0.690, 0.733]"
