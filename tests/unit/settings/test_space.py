import optuna
import pytest
from conftest import tiny_settings
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.search.study import suggest
from lib.settings.hyperparameters import NAMES, Hyperparameters, problems
from lib.settings.space import FloatRange, Space


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_of_the_space_is_a_valid_training_and_none_is_conditional(seed: int) -> None:
    space = tiny_settings().space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    params = suggest(trial, space)
    assert tuple(sorted(params)) == tuple(sorted(NAMES))
    assert Hyperparameters.of(params).params() == params


def test_differences_name_the_parameter() -> None:
    space = tiny_settings().space
    other = Space(parameters=space.parameters | {"optim.lr": FloatRange(type="float", low=1e-6, high=1e-5, log=True)})
    assert space.differences(space) == []
    assert space.differences(other) == ["optim.lr: [1e-06, 1e-05] log became [0.0004, 0.001] log"]
    del other.parameters["model.pooling"]
    assert any(line.startswith("model.pooling: nothing became ['cls'") for line in space.differences(other))
    assert space.shortest_length == 64


def test_without_augmentation_nothing_else_of_it_is_searched() -> None:
    space = tiny_settings().space
    assert not space.augments
    fixed = [p for name, p in space.parameters.items() if name.startswith("aug.")]
    assert len(fixed) == 23 and all(len(getattr(p, "choices", [0])) == 1 for p in fixed)
    assert all(getattr(p, "low", 0) == getattr(p, "high", 0) for p in fixed)
    other = tiny_settings(constraints={"aug.enabled": {"choices": [False, True]}}).space
    assert other.augments and other.strengths == (0.1, 0.2, 0.3, 0.4)
    assert other.strategies == ("all", "nlpaug", "textattack", "custom")


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
        ("model.pooling", "median", "'median' is not possible: expected one of cls, mean, max, attention"),
        ("aug.enabled", 1, "1 is not possible: expected type bool"),
        ("aug.weight_ocr", 1, None),
    ],
)
def test_what_the_engine_cannot_take_is_said_in_a_line(name: str, value: object, expected: str | None) -> None:
    assert list(problems(name, value)) == ([] if expected is None else [expected])


def test_a_point_lacks_nothing_and_has_nothing_else() -> None:
    point = {
        name: p.choices[0] if hasattr(p, "choices") else p.low for name, p in tiny_settings().space.parameters.items()
    }
    for wrong in (point | {"optim.speed": 1}, {name: value for name, value in point.items() if name != "optim.lr"}):
        with pytest.raises(ValueError, match="missing or unknown hyper-parameters: optim"):
            Hyperparameters.of(wrong)
    with pytest.raises(ValueError, match=r"optim.lr: 2\.0 is not possible"):
        Hyperparameters.of(point | {"optim.lr": 2.0})
