"""The figures of the stages and of the report.

Each function returns an <svg> element, or '' if there is nothing to draw.
"""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from matplotlib.axes import Axes
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState

from lib.metrics.calibration import BINS
from lib.metrics.objective import Objective, population_name
from lib.metrics.pareto import hypervolume, pareto_front
from lib.reporting.svg import (
    BLUE,
    COLOURS,
    GREEN,
    GREY,
    ORANGE,
    create_figure,
    integer_ticks,
    label_y_axis,
    legend,
    render_svg,
    set_labels,
    with_style,
)
from lib.schemas.evaluation import StageCResult, TestEvaluation
from lib.schemas.run import SeedResult, mean_over_seeds
from lib.schemas.search import MethodEffect, StageBResult
from lib.settings.config import StageASettings
from lib.studies.pruners import rung_steps

if TYPE_CHECKING:
    import pandas as pd

_STATES = {TrialState.COMPLETE: (BLUE, "o"), TrialState.PRUNED: (GREY, "x")}
# With fewer trials, importances would be noise.
_LEAST_IMPORTANCE = 8
_MOST_PARAMETERS = 12


@with_style
def plot_corpus(counts: "pd.DataFrame") -> str:
    """Draw bars of positives and negatives by criterion, counted by `count_annotations`."""
    figure, (axes,) = create_figure(height=0.32 * len(counts) + 1.0)
    by_status = counts.T.groupby(level="status").sum().T
    place = np.arange(len(counts))
    axes.barh(place, by_status[1], color=BLUE, label="status 1")
    axes.barh(place, by_status[0], left=by_status[1], color=GREY, label="status 0")
    label_y_axis(axes, list(counts.index))
    set_labels(axes, "annotations")
    legend(axes)
    return render_svg(figure, "corpus", "Annotations by criterion")


@with_style
def plot_history(trials: Sequence[FrozenTrial], objective: Objective) -> str:
    """Draw the objective of every trial, in the order of their numbers, and the best so far.

    Args:
        trials: All trials of Stage A.
        objective: Names the score of the axis.

    Returns:
        An <svg> element, or '' if there is nothing to draw.
    """
    figure, (axes,) = create_figure()
    for state, (colour, marker) in _STATES.items():
        own = [(t.number, score) for t in trials if t.state == state and (score := mean_objective(t)) is not None]
        if own:
            x, y = zip(*own, strict=True)
            axes.scatter(x, y, c=colour, marker=marker, s=16, label=state.name.lower())
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    if not complete:
        return ""
    best = np.maximum.accumulate([t.values[0] for t in complete])
    axes.step([t.number for t in complete], best, where="post", color=ORANGE, label="best so far")
    integer_ticks(axes)
    set_labels(axes, "trial", f"{objective.name}, development")
    legend(axes)
    return render_svg(figure, "history", f"{objective.name} of every trial of Stage A and the best so far")


def mean_objective(trial: FrozenTrial) -> float | None:
    """Return the mean objective of the seeds that a trial trained, by the null policy that is best over them."""
    seeds = [SeedResult(**seed) for seed in trial.user_attrs.get("seeds", [])]
    return mean_over_seeds(seeds)[0] if seeds else None


def rung_counts(trials: Sequence[FrozenTrial], limits: StageASettings, epochs: int) -> list[tuple[str, int, int]]:
    """Count the trials at each rung of Stage A.

    Args:
        trials: All trials of the study.
        limits: The settings of Stage A.
        epochs: The most epochs of a training.

    Returns:
        (rung, number of trials that reached it, number of these that continued) for each rung.
    """
    steps = rung_steps(limits.first_rung(epochs), epochs, limits.seeds, limits.reduction)
    counts = []
    for step in steps:
        there = [t for t in trials if t.last_step is not None and t.last_step >= step]
        stopped = sum(t.state == TrialState.PRUNED and t.last_step == step for t in there)
        name = f"epoch {step}" if step < epochs else f"seed {step - epochs + 1}"
        counts.append((name, len(there), len(there) - stopped))
    return counts


@with_style
def plot_rungs(trials: Sequence[FrozenTrial], limits: StageASettings, epochs: int) -> str:
    """Draw how many trials reached each rung, and how many of these continued.

    Args:
        trials: All trials of the study.
        limits: The settings of Stage A.
        epochs: The most epochs of a training.

    Returns:
        An <svg> element, or '' if there is no rung.
    """
    counts = rung_counts(trials, limits, epochs)
    if not counts:
        return ""
    figure, (axes,) = create_figure(height=0.45 * len(counts) + 1.0)
    place = np.arange(len(counts))
    axes.barh(place, [reached for _, reached, _ in counts], color=GREY, label="reached")
    axes.barh(place, [continued for _, _, continued in counts], color=BLUE, height=0.5, label="continued")
    label_y_axis(axes, [name for name, _, _ in counts])
    integer_ticks(axes)
    axes.set_xlim(right=1.25 * counts[0][1] + 1)  # room for the legend
    set_labels(axes, "trials")
    legend(axes)
    return render_svg(figure, "rungs", "Trials that reached each rung and continued")


def estimate_importances(trials: Sequence[FrozenTrial], seed: int) -> dict[str, tuple[float, float]]:
    """Estimate the importance of hyper-parameters from the completed trials.

    PED-ANOVA (Watanabe et al., 2023) finds the parameters that separate the best tenth of the trials from all of
    them. fANOVA (Hutter et al., 2014) finds those that explain the objective over the whole space. The sampler chose
    the trials, so both are correlation, not a controlled experiment. Parameters that only some of the trials use are
    left out.

    Args:
        trials: All trials of the study.
        seed: Seed of fANOVA.

    Returns:
        Hyper-parameter to its (PED-ANOVA, fANOVA) importance, for the twelve with the highest PED-ANOVA, in this
        order; empty if too few trials are complete.
    """
    complete = [t for t in trials if t.state == TrialState.COMPLETE]
    if len(complete) < _LEAST_IMPORTANCE or len({t.values[0] for t in complete}) < 3:
        return {}
    study = optuna.create_study(direction="maximize")
    study.add_trials(complete)
    common = [n for n in complete[0].distributions if all(n in t.params for t in complete)]
    varied = [n for n in common if len({str(t.params[n]) for t in complete}) > 1]
    varied = [n for n in varied if not complete[0].distributions[n].single()]
    evaluators = (
        optuna.importance.PedAnovaImportanceEvaluator(),
        optuna.importance.FanovaImportanceEvaluator(seed=seed, n_trees=32),
    )
    ped, fanova = (optuna.importance.get_param_importances(study, evaluator=e, params=varied) for e in evaluators)
    order = sorted(varied, key=lambda name: -ped[name])[:_MOST_PARAMETERS]
    return {name: (float(ped[name]), float(fanova[name])) for name in order}


@with_style
def plot_importances(importances: Mapping[str, tuple[float, float]]) -> str:
    """Draw bars of both importances, as `estimate_importances` returns them."""
    if not importances:
        return ""
    figure, (axes,) = create_figure(height=0.32 * len(importances) + 1.0)
    place = np.arange(len(importances))
    for shift, which, colour, name in ((-0.2, 0, BLUE, "PED-ANOVA"), (0.2, 1, ORANGE, "fANOVA")):
        axes.barh(place + shift, [v[which] for v in importances.values()], height=0.38, color=colour, label=name)
    label_y_axis(axes, list(importances))
    set_labels(axes, "share of importance")
    legend(axes)
    return render_svg(figure, "importance", "Importance of hyper-parameters")


@with_style
def plot_parallel_coordinates(trials: Sequence[FrozenTrial], names: Sequence[str], objective: Objective) -> str:
    """Draw parallel coordinates of the completed trials, a line for each, with the best tenth in blue.

    Args:
        trials: All trials of the study.
        names: The hyper-parameters to show.
        objective: Names the last coordinate.

    Returns:
        An <svg> element, or '' if there are fewer than two trials or hyper-parameters.
    """
    complete = sorted((t for t in trials if t.state == TrialState.COMPLETE), key=lambda t: t.values[0])
    if len(complete) < 2 or len(names) < 2:
        return ""
    figure, (axes,) = create_figure(width=8.4, height=3.6)
    columns = [_scaled([t.params[name] for t in complete]) for name in names]
    columns.append(_scaled([t.values[0] for t in complete]))
    lines = np.array([places for places, _ in columns]).T
    good = max(1, len(complete) // 10)
    for row, line in enumerate(lines):
        best = row >= len(lines) - good
        axes.plot(line, color=BLUE if best else GREY, alpha=0.9 if best else 0.35, linewidth=1.6 if best else 0.8)
    axes.set_xticks(range(len(columns)), [*(n.replace(".", ".\n") for n in names), objective.name.replace(" ", "\n")])
    for x, (_, ends) in enumerate(columns):
        axes.annotate(ends[0], (x, -0.06), ha="center", va="top", fontsize=7)
        axes.annotate(ends[1], (x, 1.03), ha="center", va="bottom", fontsize=7)
    axes.set_yticks([])
    axes.set_ylim(-0.16, 1.12)
    axes.spines["left"].set_visible(False)
    return render_svg(figure, "parallel", "Parallel coordinates of completed trials, the best tenth in blue")


def _scaled(values: Sequence[Any]) -> tuple[NDArray[np.float64], tuple[str, str]]:
    """Return values scaled to [0, 1], and the labels of both ends."""
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        numbers = np.array(values, dtype=np.float64)
        if numbers.min() > 0 and numbers.max() / numbers.min() > 20:
            numbers = np.log(numbers)
        extent = np.ptp(numbers)
        places = (numbers - numbers.min()) / extent if extent > 0 else np.full(len(numbers), 0.5)
        return places, (f"{min(values):.3g}", f"{max(values):.3g}")
    names = sorted({str(v) for v in values})
    step = 1 / max(1, len(names) - 1)
    places = np.array([names.index(str(v)) * step if len(names) > 1 else 0.5 for v in values])
    return places, (names[0], names[-1])


@with_style
def plot_pareto_front(result: StageBResult, objective: Objective) -> str:
    """Draw the Pareto front after a third, two thirds and all of the trials, and the growth of its hypervolume.

    Args:
        result: The result of Stage B.
        objective: Names the scores of the axes.

    Returns:
        An <svg> element, or '' if there is nothing to draw.
    """
    trials = sorted(
        (t for t in result.trials if t.objective is not None and t.calibration_error is not None),
        key=lambda t: t.number,
    )
    if not trials:
        return ""
    points = [(t.objective or 0.0, t.calibration_error or 0.0) for t in trials]
    figure, (plane, growth) = create_figure(width=8.4, columns=2)
    plane.scatter([e for _, e in points], [f for f, _ in points], c=GREY, s=12)
    for share, colour in ((1 / 3, ORANGE), (2 / 3, GREEN), (1.0, BLUE)):
        until = points[: max(1, round(share * len(points)))]
        best = pareto_front(until)
        plane.plot([e for _, e in best], [f for f, _ in best], "o-", color=colour, ms=4, label=f"after {share:.0%}")
    set_labels(plane, f"{objective.full_calibration_name}, lower is better", objective.name, "Pareto front")
    legend(plane)
    areas = [hypervolume(points[:n]) for n in range(1, len(points) + 1)]
    growth.step(range(1, len(points) + 1), areas, where="post", color=BLUE)
    integer_ticks(growth)
    set_labels(growth, "completed trials", "hypervolume", "Growth")
    title = f"Pareto front of {objective.name} and {objective.full_calibration_name}, and its growth over the trials"
    return render_svg(figure, "pareto", title)


@with_style
def plot_folds(result: StageCResult) -> str:
    """Draw the objective by fold of candidates, ensemble and baseline, with corrected standard errors."""
    entries = [(f"candidate {e['candidate']}", e["objective"], BLUE) for e in result.ranking]
    entries = [(n, v, ORANGE if n == f"candidate {result.choice['candidate']}" else c) for n, v, c in entries]
    if result.ensemble is not None:
        entries += [(f"ensemble of {', '.join(map(str, result.members))}", result.ensemble["objective"], GREEN)]
    entries += [(result.baseline["name"], result.baseline["objective"], GREY)]
    chosen = next(e for e in result.ranking if e["candidate"] == result.choice["candidate"])
    where = population_name(chosen["scores"]["population"])
    rows = max(len(entries), len(chosen["scores"]["per_criterion"]))
    figure, (axes, by_criterion) = create_figure(width=9.6, height=0.3 * rows + 1.1, columns=2)
    _draw_criteria(by_criterion, chosen["scores"]["per_criterion"], where)
    for place, (_, values, colour) in enumerate(entries):
        axes.scatter(values["folds"], [place] * len(values["folds"]), color=colour, alpha=0.35, s=12)
        axes.errorbar(values["mean"], place, xerr=values["standard_error"], fmt="o", color=colour, capsize=4)
    label_y_axis(axes, [name for name, _, _ in entries])
    set_labels(axes, f"{result.objective} ± corrected standard error (orange is chosen)")
    title = f"{result.objective} by fold of candidates, ensemble and baseline, and F1 by criterion ({where})"
    return render_svg(figure, "folds", title)


def _draw_criteria(axes: Axes, scores: Mapping[str, Mapping[str, Any]], where: str) -> None:
    """Draw a bar of each criterion's F1; criteria without a positive have none and are only named."""
    known = {name: own["f1"] for name, own in scores.items() if own["f1"] is not None}
    axes.barh(range(len(known)), list(known.values()), color=ORANGE)
    label_y_axis(axes, list(known))
    axes.set_xlim(0, 1)
    missing = [name for name in scores if name not in known]
    note = textwrap.fill(f"not drawn, since no pair is positive: {', '.join(missing)}", 60) if missing else ""
    set_labels(axes, f"F1 of the chosen by criterion ({where})\n{note}".strip())


@with_style
def plot_reliability(panels: Mapping[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]) -> str:
    """Draw a reliability diagram for each panel, given by its title and (confidence, right), both (n,)."""
    if not panels:
        return ""
    figure, axes = create_figure(width=3.0 * len(panels), height=3.2, columns=len(panels))
    for each, (title, (confidence, right)) in zip(axes, panels.items(), strict=True):
        bins = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
        n = np.bincount(bins, minlength=BINS)
        accuracy = np.bincount(bins, weights=right, minlength=BINS) / np.maximum(n, 1)
        middle = (np.arange(BINS) + 0.5) / BINS
        each.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle="--")
        each.bar(middle[n > 0], accuracy[n > 0], width=0.9 / BINS, color=BLUE)
        each.scatter(middle[n > 0], np.full((n > 0).sum(), -0.06), s=60 * n[n > 0] / n.max() + 2, color=ORANGE)
        each.set_xlim(0, 1)
        each.set_ylim(-0.12, 1)
        set_labels(each, "confidence", "share correct" if each is axes[0] else "", title)
    return render_svg(figure, "reliability", "Reliability diagrams")


@with_style
def plot_model_comparison(test: TestEvaluation) -> str:
    """Draw F1-macro and ECE of every model on the test set, with 95 % intervals."""
    figure, both = create_figure(width=8.4, height=0.4 * len(test.models) + 1.0, columns=2)
    where = population_name(test.population)
    for axes, name in zip(both, ("f1_macro", "ece"), strict=True):
        for place, model in enumerate(test.models):
            score = getattr(model, name)
            axes.plot([score["low"], score["high"]], [place, place], color=_model_colour(model.name))
            axes.plot(score["value"], place, "o", color=_model_colour(model.name))
        label_y_axis(axes, [model.name for model in test.models] if name == "f1_macro" else [""] * len(test.models))
        shown = "F1-macro ({})" if name == "f1_macro" else "ECE ({}), lower is better"
        set_labels(axes, shown.format(where))
    return render_svg(figure, "test", f"All models on the test set with intervals ({where})")


def _model_colour(name: str) -> str:
    """Return the colour of a model, by its name, since only some configurations have an ensemble."""
    return ORANGE if name == "chosen" else GREEN if name == "ensemble" or name.startswith("candidate ") else GREY


@with_style
def plot_learning_curves(curves: Mapping[str, Sequence[Mapping[str, float]]], objective: Objective) -> str:
    """Draw training loss and objective by epoch.

    Args:
        curves: The history of each run on a development split, by the split's name; each epoch has `epoch`, `loss`
            and `objective`.
        objective: Names the score of the axis.

    Returns:
        An <svg> element, or '' if there is nothing to draw.
    """
    if not curves:
        return ""
    figure, (loss, score) = create_figure(width=8.4, columns=2)
    for number, (name, epochs) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        loss.plot([e["epoch"] for e in epochs], [e["loss"] for e in epochs], color=colour, label=name)
        score.plot([e["epoch"] for e in epochs], [e["objective"] for e in epochs], color=colour)
    integer_ticks(loss)
    integer_ticks(score)
    set_labels(loss, "epoch", "training loss")
    set_labels(score, "epoch", f"{objective.name}, validation split")
    if len(curves) <= len(COLOURS):
        legend(loss)
    return render_svg(figure, "learning", f"Loss and {objective.name} of the chosen configuration by epoch")


@with_style
def plot_method_effects(effects: Sequence[MethodEffect], objective: Objective) -> str:
    """Draw the correlation of each augmentation method's use with the objective.

    Args:
        effects: The effect of each method.
        objective: Names the score that is correlated with the use.

    Returns:
        An <svg> element, or '' if there is nothing to draw.
    """
    known = [e for e in effects if e.rho is not None and e.low is not None and e.high is not None]
    if not known:
        return ""
    figure, (axes,) = create_figure(height=0.28 * len(known) + 1.0)
    axes.axvline(0, color=GREY, linewidth=1)
    for place, e in enumerate(known):
        colour = BLUE if (e.low or 0) > 0 or (e.high or 0) < 0 else GREY
        axes.plot([e.low or 0, e.high or 0], [place, place], color=colour)
        axes.plot(e.rho or 0, place, "o", color=colour)
    label_y_axis(axes, [e.method for e in known])
    axes.set_xlim(-1, 1)
    set_labels(axes, f"Spearman's rho of use and {objective.name}, 95 % interval (blue excludes 0)")
    return render_svg(figure, "augmentation", f"Effect of each augmentation method on {objective.name}")
