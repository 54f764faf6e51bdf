"""Compare the searches of nested cross-validation, and tell the variance between seeds, splits and searches apart.

Each outer fold repeats the whole search on the other development posts and scores the delivered model on its own
(Varma & Simon, 2006). So the mean of its scores is the score of the search as a procedure.
"""

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

import numpy as np

from lib.metrics.corrected_t_test import corrected_standard_error
from lib.metrics.objective import Objective
from lib.reporting.svg import (
    BLUE,
    GREY,
    ORANGE,
    create_figure,
    label_y_axis,
    legend,
    render_svg,
    set_labels,
    with_style,
)
from lib.schemas.document import Provenance
from lib.schemas.evaluation import NestedResult, StageCResult, TestEvaluation


def compare_searches(
    provenance: Provenance,
    objective: Objective,
    main: tuple[StageCResult, TestEvaluation],
    outer: Sequence[tuple[StageCResult, TestEvaluation]],
) -> NestedResult:
    """Summarise the searches of the outer folds.

    Args:
        provenance: Of the new document.
        objective: What the searches maximised.
        main: Cross-validation and test result of the main search.
        outer: Those of each outer fold, in order; there are at least two.

    Returns:
        The scores of all searches, their mean, and the deviations.
    """
    scores = [_score(objective, test) for _, test in outer]
    searches = [
        {
            "fold": number,
            "backbone": "ensemble" if test.delivers_ensemble else test.chosen["backbone"],
            "params": found.choice["params"],
            "score": score,
            "cross_validated": found.objective_of(test)["mean"],
            "bias_corrected": found.bias_corrected["value"] if found.bias_corrected is not None else None,
        }
        for number, ((found, test), score) in enumerate(zip(outer, scores, strict=True), 1)
    ]
    return NestedResult(
        provenance=provenance,
        agent=main[0].agent,
        objective=objective.name,
        searches=searches,
        score={
            "mean": fmean(scores),
            "standard_error": corrected_standard_error(np.array(scores), 1 / (len(scores) - 1)),
        },
        deviations=deviations(objective, *main, outer=scores),
    )


def deviations(
    objective: Objective, result: StageCResult, test: TestEvaluation, outer: Sequence[float] = ()
) -> dict[str, dict[str, float | None]]:
    """Return standard deviations of the objective between seeds, between splits and between searches.

    Trainings on other posts have other seeds, too, and searches on other posts have other splits and seeds. So each
    measured variance contains the ones before, which are subtracted to find its own part. The variance between
    splits is scaled from the size of a fold to that of an outer fold.

    Args:
        objective: The score.
        result: The cross-validation of the main search, whose folds differ in their posts.
        test: The test result of the main search, whose trainings differ in their seeds only.
        outer: The scores of the searches of the outer folds; none without nested cross-validation.

    Returns:
        For 'seeds', 'splits' and 'searches' the 'measured' deviation and its 'own' part; None where it, or what has
        to be subtracted, is not measured.
    """
    alone = [objective.values(scores)[0] for scores in test.seeds]
    folds = result.choice["objective"]["folds"]
    seeds, splits, searches = (stdev(each) if len(each) > 1 else None for each in (alone, folds, outer))
    of_splits = None if seeds is None or splits is None else max(0.0, splits**2 - seeds**2)
    of_searches = None
    # Seeds and splits are those of a single candidate, so of an ensemble they cannot be subtracted.
    if not (seeds is None or of_splits is None or searches is None or test.delivers_ensemble):
        of_searches = max(0.0, searches**2 - of_splits * len(outer) / result.folds - seeds**2 / len(alone))
    return {
        "seeds": {"measured": seeds, "own": seeds},
        "splits": {"measured": splits, "own": _root(of_splits)},
        "searches": {"measured": searches, "own": _root(of_searches)},
    }


def deviation_rows(found: Mapping[str, Mapping[str, float | None]]) -> list[list[str]]:
    """Return the rows of a table of `deviations`."""
    what = {
        "seeds": "seeds: trainings of the final model, on the test set",
        "splits": "splits: folds of the chosen candidate",
        "searches": "searches: outer folds",
    }
    return [
        [what[name], *("not measured" if each[key] is None else f"{each[key]:.3f}" for key in ("measured", "own"))]
        for name, each in found.items()
    ]


@with_style
def plot_nested(nested: NestedResult) -> str:
    """Draw the score of each search on its outer fold beside what its own cross-validation promised."""
    rows: list[Mapping[str, Any]] = list(nested.searches)
    figure, (axes,) = create_figure(height=0.45 * (len(rows) + 1) + 1.0)
    kinds = (("cross_validated", GREY, "cross-validated"), ("bias_corrected", BLUE, "best candidate, bias-corrected"))
    for name, colour, label in (*kinds, ("score", ORANGE, "on its outer fold")):
        points = [(row[name], place) for place, row in enumerate(rows) if row[name] is not None]
        axes.plot([x for x, _ in points], [y for _, y in points], "o", color=colour, label=label)
    mean, error = nested.score["mean"], nested.score["standard_error"]
    axes.errorbar(mean, len(rows), xerr=error, fmt="o", color=ORANGE, capsize=4)
    label_y_axis(axes, [*(f"outer fold {row['fold']} ({row['backbone']})" for row in rows), "mean of outer folds"])
    set_labels(axes, nested.objective)
    legend(axes)
    return render_svg(figure, "nested", f"{nested.objective} of the searches of the outer folds")


def _score(objective: Objective, test: TestEvaluation) -> float:
    return objective.values(test.models[0].scores)[0]


def _root(variance: float | None) -> float | None:
    return None if variance is None else math.sqrt(variance)
