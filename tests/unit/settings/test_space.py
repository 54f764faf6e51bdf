import optuna
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import tiny_settings

from lib.settings.hyperparameters import NAMES, Hyperparameters
from lib.settings.space import FloatRange, Space
from lib.studies.study import suggest_params


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_point_of_the_space_is_a_valid_training_and_none_is_conditional(seed: int) -> None:
    space = tiny_settings().space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    trial = study.ask()
    params = suggest_params(trial, space)
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


def test_without_augmentation_its_other_parameters_are_fixed() -> None:
    space = tiny_settings().space
    assert not space.augments
    fixed = [p for name, p in space.parameters.items() if name.startswith("aug.")]
    assert len(fixed) == 23 and all(len(getattr(p, "choices", [0])) == 1 for p in fixed)
    assert all(getattr(p, "low", 0) == getattr(p, "high", 0) for p in fixed)
    other = tiny_settings(constraints={"aug.enabled": {"choices": [False, True]}}).space
    assert other.augments and other.strengths == (0.1, 0.2, 0.3, 0.4)
    assert other.augmentation_strategies == ("all", "nlpaug", "textattack", "custom")
