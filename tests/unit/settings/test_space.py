import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny import params, tiny_settings

from lib.errors import UserError
from lib.settings.hyperparameters import NULL_POLICY, Hyperparameters
from lib.settings.space import FloatRange, Space
from lib.studies.study import suggest_params


def augmented_space() -> Space:
    return tiny_settings(constraints={"aug.enabled": {"choices": [False, True]}}).space


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_trial_gets_the_parameters_that_it_uses_and_no_others(seed: int) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    found = suggest_params(study.ask(), augmented_space())
    assert Hyperparameters.of(found).params() == {**found, NULL_POLICY: "threshold"}
    assert ("head.hidden" in found) == (found["head.layers"] > 1)
    assert ("schedule.warmup" in found) == (found["schedule.name"] != "one_cycle")
    assert ("aug.p_apply" in found) == found["aug.enabled"]
    assert ("aug.weight_ocr" in found) == (found.get("aug.strategy") == "custom")
    assert ("aug.antonym_guard" in found) == (found.get("aug.strategy") in {"all", "nlpaug", "custom"})


def test_a_used_parameter_may_not_be_missing() -> None:
    given = params(**{"head.layers": 2})
    del given["head.hidden"], given["aug.p_apply"]
    with pytest.raises(ValueError, match=r"missing or unknown hyper-parameters: head\.hidden$"):
        Hyperparameters.of(given)


def test_differences_name_the_parameter() -> None:
    space = tiny_settings().space
    other = Space(parameters=space.parameters | {"optim.lr": FloatRange(type="float", low=1e-6, high=1e-5, log=True)})
    assert space.differences(space) == []
    assert space.differences(other) == ["optim.lr: [1e-06, 1e-05] log became [0.0004, 0.001] log"]
    del other.parameters["model.pooling"]
    assert any(line.startswith("model.pooling: nothing became ['cls'") for line in space.differences(other))
    assert space.shortest_length == 64


def test_without_augmentation_its_other_parameters_are_no_dimensions() -> None:
    space = tiny_settings().space
    assert not space.augments and space.strengths == ()
    assert [name for name in space.parameters if name.startswith("aug.")] == ["aug.enabled"]
    other = augmented_space()
    assert other.augments and other.strengths == (0.1, 0.2, 0.3, 0.4)
    assert other.augmentation_strategies == ("all", "nlpaug", "textattack", "custom")


def test_groups_follow_those_that_they_depend_on() -> None:
    first, *others = augmented_space().groups()
    assert {"head.layers", "schedule.name", "aug.enabled"} <= first.keys()
    assert [sorted(group)[:2] for group in others] == [
        ["head.activation", "head.hidden"],
        ["schedule.warmup"],
        ["aug.max_replace", "aug.ops_per_sample"],
        ["aug.antonym_guard"],
        ["aug.weight_antonym", "aug.weight_char_swap"],
    ]


def test_the_null_policy_is_not_searched() -> None:
    with pytest.raises(UserError, match=r"null_policy\.name: is decided after training .* decision\.null_policies"):
        tiny_settings(constraints={"null_policy.name": {"choices": ["none"]}})
