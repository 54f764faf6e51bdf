"""AshaPruner and racing continue promising trials and stop the others."""

import numpy as np
import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from optuna.trial import TrialState, create_trial

from lib.settings.config import StageASettings
from lib.studies.pruners import AshaPruner, is_dominated, min_trials_at_rung, noise_of_lead, rung_steps


def test_the_first_rung_is_half_of_the_epochs_by_default() -> None:
    whole = {"trials": 1, "seeds": 1}
    assert [StageASettings(**whole).first_rung(epochs) for epochs in (1, 4, 5, 20)] == [1, 2, 3, 10]
    assert StageASettings(**whole, min_epochs=4).first_rung(20) == 4


def test_rungs_are_epochs_then_the_ends_of_all_seeds_but_the_last() -> None:
    assert rung_steps(2, 20, 3, 3) == [2, 6, 20, 21], "18 is the same question as 20"
    assert rung_steps(1, 6, 3, 3) == [1, 3, 6, 7]
    assert rung_steps(2, 4, 2, 3) == [2, 4]
    assert rung_steps(2, 4, 1, 2) == [2]
    assert rung_steps(4, 4, 1, 3) == []


def study_of(histories: list[dict[int, float]]) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for steps in histories:
        study.add_trial(create_trial(state=TrialState.PRUNED, intermediate_values=steps, value=0.0))
    return study


def continues(study: optuna.Study, steps: dict[int, float], pruner: AshaPruner) -> bool:
    trial = study.ask()
    for step, value in steps.items():
        trial.report(value, step)
    return not pruner.prune(study, study.get_trials()[trial.number])


def test_one_trial_in_so_many_continues_at_a_rung_and_all_continue_between_rungs() -> None:
    pruner = AshaPruner([1, 3], 3)
    five = study_of([{1: value / 10} for value in range(1, 6)])
    assert continues(five, {1: 0.45}, pruner), "second of six"
    assert not continues(five, {1: 0.2}, pruner)
    assert continues(five, {1: 0.9, 2: 0.0}, pruner), "step 2 is not a rung"


def test_too_few_trials_at_a_rung_stop_nothing() -> None:
    """In a study of six trials, a trial with 0.69 was once stopped because the only other trial had a lucky 0.74."""
    pruner = AshaPruner([4], 2)
    assert continues(study_of([]), {4: 0.1}, pruner)
    assert continues(study_of([{4: 0.74}]), {4: 0.69}, pruner)
    assert continues(study_of([{4: 0.74}, {4: 0.69}]), {4: 0.4}, pruner)
    assert not continues(study_of([{4: 0.74}, {4: 0.69}, {4: 0.4}]), {4: 0.3}, pruner)
    assert continues(study_of([{4: 0.74}, {4: 0.69}, {4: 0.4}]), {4: 0.7}, pruner)


def test_an_early_stopped_training_counts_at_the_rungs_it_passed() -> None:
    stopped = study_of([{1: 0.5, 2: 0.8, 6: 0.8}] * 3)
    assert not continues(stopped, {1: 0.5, 2: 0.6, 3: 0.7}, AshaPruner([3, 6], 2))
    assert continues(stopped, {1: 0.5, 2: 0.6, 3: 0.85}, AshaPruner([3, 6], 2))
    only_begun = study_of([{1: 0.9}] * 3)
    assert continues(only_begun, {1: 0.1, 2: 0.2, 3: 0.3}, AshaPruner([3], 2)), "the others have not come so far"


def test_a_trial_is_compared_with_the_most_recent_ones() -> None:
    pruner = AshaPruner([1], 2)
    improving = study_of([{1: value / 10} for value in (0, 0, 0, 0, 0, 0, 0, 0, 5, 6, 7, 8, 9, 9, 9)])
    assert not continues(improving, {1: 0.6}, pruner), "sixth of the last eight, though seventh of sixteen"
    assert continues(improving, {1: 0.85}, pruner)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.integers(2, 4))
def test_in_any_order_the_first_few_and_the_best_continue(values: list[float], reduction: int) -> None:
    study, pruner = study_of([]), AshaPruner([1], reduction)
    promoted = [value for value in values if continues(study, {1: value}, pruner)]
    few = min_trials_at_rung(reduction)
    assert promoted[:few] == values[:few] and max(values) in promoted


def trial_scores(
    trials: int, rng: np.random.Generator, noise: float, levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    seeds = rng.normal(0, 0.1, (1, 4, 2))  # the splits differ in difficulty, equally for all trials
    return levels[:trials, None, :] + seeds + rng.normal(0, noise, (trials, 4, 2))


def test_a_trial_is_dominated_only_if_behind_by_more_than_the_noise() -> None:
    rng = np.random.default_rng(0)
    levels = np.array([[-0.8, 0.1], [-0.6, 0.05], [-0.7, 0.07]])
    done = trial_scores(3, rng, 0.005, levels)
    splits = done.mean(0) - levels.mean(0)
    assert is_dominated(np.array([-0.5, 0.2]) + splits[:1], done)
    assert not is_dominated(np.array([-0.85, 0.2]) + splits[:1], done), "best F1"
    assert not is_dominated(np.array([-0.5, 0.01]) + splits[:1], done), "best ECE"
    assert not is_dominated(np.array([-0.799, 0.101]) + splits[:1], done), "within the noise"
    assert not is_dominated(np.array([-0.5, 0.2]) + splits, done), "all seeds are there: nothing to save"
    assert not is_dominated(np.array([-0.5, 0.2]) + splits[:1], done[:1]), "one trial says nothing of the noise"


@pytest.mark.parametrize("completed", [6, 50])
def test_racing_rarely_drops_a_trial_that_would_reach_the_front(completed: int) -> None:
    """All trials are equally good. A trial that no other dominates after all seeds must rarely be stopped before."""
    rng, dropped, fronts = np.random.default_rng(1), np.zeros(3), 0
    while fronts < 400:
        *done, own = trial_scores(completed + 1, rng, 0.02, np.zeros((completed + 1, 2)))
        if not (np.mean(done, axis=1) <= own.mean(0)).all(1).any():
            fronts += 1
            dropped += [is_dominated(own[:k], np.array(done)) for k in (1, 2, 3)]
    # At 5 % more than 33 of 400 have a probability of 0.2 %.
    assert (dropped <= 33).all()
    assert dropped.sum() > 10, "and the rule is not idle"


def test_the_margin_grows_with_the_front() -> None:
    """A trial that is behind by 1.1 standard deviations of its noise in both objectives."""
    rng = np.random.default_rng(0)
    for size, stopped in ((1, True), (20, False)):
        place = np.linspace(0, 1, size)
        done = trial_scores(size + 1, rng, 0.02, np.stack([place, 1 - place], axis=1)[[*range(size), 0]])
        done[-1] += 5.0  # another trial, so that there is noise to measure
        own = done[0, :1] + 1.1 * noise_of_lead(done, 1)
        assert is_dominated(own, done) is stopped
