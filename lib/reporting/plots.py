"""Pictures of the corpus and of the three stages, as SVG with Okabe and Ito's colour-blind safe colours."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.files.atomic import replacing
from lib.search.documents import MethodEffect, StageA, StageB, StageC, TrialResult

matplotlib.use("svg")
# Ids in the SVG come from this salt and no date is written: the same data give the same file.
matplotlib.rcParams["svg.hashsalt"] = "lib"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#999999"


def _axes(width: float = 7, height: float = 4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _f1(trials: Sequence[TrialResult]) -> list[float]:
    return [trial.f1_macro for trial in trials if trial.f1_macro is not None]


def _ece(trials: Sequence[TrialResult]) -> list[float]:
    return [trial.ece for trial in trials if trial.ece is not None]


def _save(figure: Figure, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def corpus(counts: pd.DataFrame, path: Path) -> None:
    """Bars of positives and negatives per criterion. counts: as lib.corpus.report.counts returns."""
    figure, axes = _axes(height=0.4 * len(counts) + 1.2)
    by_status = counts.T.groupby(level="status").sum().T
    place = np.arange(len(counts))
    axes.barh(place, by_status[1], color=BLUE, label="status 1")
    axes.barh(place, by_status[0], left=by_status[1], color=GREY, label="status 0")
    axes.set_yticks(place, list(counts.index))
    axes.invert_yaxis()
    axes.set_xlabel("annotations")
    axes.legend(frameon=False)
    _save(figure, path)


def stage_a(result: StageA, path: Path) -> None:
    """F1-macro of the kept trials in the order they were tried, and the best so far."""
    figure, axes = _axes()
    for state, colour, marker in (("COMPLETE", BLUE, "o"), ("PRUNED", GREY, "x")):
        chosen = [t for t in result.trials if t.state == state]
        axes.scatter([t.number for t in chosen], _f1(chosen), c=colour, marker=marker, label=state.lower())
    complete = sorted((t for t in result.trials if t.state == "COMPLETE"), key=lambda t: t.number)
    best = np.maximum.accumulate([t.f1_macro or 0.0 for t in complete]) if complete else np.zeros(0)
    axes.step([t.number for t in complete], best, where="post", color=ORANGE, label="best so far")
    axes.set_xlabel("trial")
    axes.set_ylabel("F1-macro (development)")
    axes.legend(frameon=False)
    _save(figure, path)


def augmentation(effects: Sequence[MethodEffect], path: Path) -> None:
    """Correlation of each augmentation method's use with F1-macro, with intervals."""
    figure, axes = _axes(height=5.5)
    axes.axvline(0, color=GREY, linewidth=1)
    for place, effect in enumerate(effects):
        if effect.rho is not None and effect.low is not None and effect.high is not None:
            certain = effect.low > 0 or effect.high < 0
            axes.plot([effect.low, effect.high], [place, place], color=BLUE if certain else GREY)
            axes.plot(effect.rho, place, "o", color=BLUE if certain else GREY)
    axes.set_yticks(range(len(effects)), [effect.method for effect in effects])
    axes.invert_yaxis()
    axes.set_xlim(-1, 1)
    axes.set_xlabel("Spearman's rho of use and F1-macro, 95 % interval (blue: without 0)")
    _save(figure, path)


def stage_b(result: StageB, path: Path) -> None:
    """All completed trials in the plane of F1-macro and ECE; the Pareto front is joined."""
    figure, axes = _axes()
    rest = [t for t in result.trials if t.rank]
    front = sorted((t for t in result.trials if t.rank == 0), key=lambda t: t.ece or 0.0)
    axes.scatter(_ece(rest), _f1(rest), c=GREY, label="dominated")
    axes.plot(_ece(front), _f1(front), "o-", color=BLUE, label="Pareto front")
    axes.set_xlabel("ECE (lower is better)")
    axes.set_ylabel("F1-macro (higher is better)")
    axes.legend(frameon=False)
    _save(figure, path)


def stage_c(result: StageC, path: Path) -> None:
    """Mean F1-macro with standard errors and folds: candidates, ensemble, baseline; and the choice by criterion."""
    entries: list[tuple[str, dict[str, Any], str]] = [
        (
            f"candidate {e['candidate']}",
            e["f1_macro"],
            ORANGE if e["candidate"] == result.choice["candidate"] else BLUE,
        )
        for e in result.ranking
    ]
    entries.append(
        ("average of " + ", ".join(map(str, result.ensemble["members"])), result.ensemble["f1_macro"], GREEN)
    )
    entries.append((result.baseline["name"], result.baseline["f1_macro"], GREY))
    chosen = next(e for e in result.ranking if e["candidate"] == result.choice["candidate"])["scores"][
        "per_criterion"
    ]
    figure = Figure(figsize=(11, 0.4 * max(len(entries), len(chosen)) + 1.4), layout="constrained")
    axes, by_criterion = figure.subplots(1, 2, width_ratios=[3, 2])
    for each in (axes, by_criterion):
        each.spines[["top", "right"]].set_visible(False)
    by_criterion.barh(list(chosen), [scores["f1_macro"] for scores in chosen.values()], color=ORANGE)
    by_criterion.invert_yaxis()
    by_criterion.set_xlim(0, 1)
    by_criterion.set_xlabel("F1-macro of the choice by criterion")
    for place, (_, values, colour) in enumerate(entries):
        axes.scatter(values["folds"], [place] * len(values["folds"]), color=colour, alpha=0.3, s=15)
        axes.errorbar(values["mean"], place, xerr=values["standard_error"], fmt="o", color=colour, capsize=4)
    axes.set_yticks(range(len(entries)), [name for name, _, _ in entries])
    axes.invert_yaxis()
    axes.set_xlabel("F1-macro on held-out folds, ± corrected standard error (chosen: orange)")
    _save(figure, path)
