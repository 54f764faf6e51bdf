import pytest
from support.tiny import tiny_settings

from lib.settings.hyperparameters import Hyperparameters, value_problems


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("optim.lr", 0.0, "0.0 is not possible: must be above 0"),
        ("optim.lr", "fast", "'fast' is not possible: expected a number"),
        ("optim.lr", True, "True is not possible: expected a number"),
        ("head.layers", 4, "4 is not possible: must be at most 3"),
        ("head.layers", 1.5, "1.5 is not possible: expected type int"),
        ("head.dropout", 1, "1 is not possible: must be below 1"),
        ("data.max_length", 4, "4 is not possible: must be at least 8"),
        ("model.pooling", "median", "'median' is not possible: expected one of cls, mean, max, attention, pair"),
        ("aug.enabled", 1, "1 is not possible: expected type bool"),
        ("aug.weight_ocr", 1, None),
    ],
)
def test_a_value_that_the_engine_cannot_take_gives_one_problem(
    name: str, value: object, expected: str | None
) -> None:
    assert list(value_problems(name, value)) == ([] if expected is None else [expected])


def test_a_point_has_exactly_the_known_hyperparameters() -> None:
    point = {
        name: p.choices[0] if hasattr(p, "choices") else p.low for name, p in tiny_settings().space.parameters.items()
    }
    for wrong in (point | {"optim.speed": 1}, {name: value for name, value in point.items() if name != "optim.lr"}):
        with pytest.raises(ValueError, match="missing or unknown hyper-parameters: optim"):
            Hyperparameters.of(wrong)
    with pytest.raises(ValueError, match=r"optim.lr: 2\.0 is not possible"):
        Hyperparameters.of(point | {"optim.lr": 2.0})
