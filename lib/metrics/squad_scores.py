"""Read the total, HasAns and NoAns of answers that are spans from the intervals of a model's scores."""

from collections.abc import Mapping
from dataclasses import dataclass

from lib.metrics.formatting import format_score
from lib.metrics.objective import population_name

SPAN_COLUMNS = ("spans", "population", "token F1", "HasAns", "NoAns")


@dataclass(frozen=True)
class SquadScores:
    """How well spans are answered in one population; an agent that always abstains has HasAns 0 and NoAns 1.

    Attributes:
        population: The population, in words.
        total: Mean token F1 of all pairs, within each criterion and then over the criteria, with its interval.
        has_answer: The same over the pairs with evidence (HasAns); None without any.
        no_answer: The same over the pairs without evidence (NoAns); None without any.
    """

    population: str
    total: Mapping[str, float]
    has_answer: Mapping[str, float] | None
    no_answer: Mapping[str, float] | None

    def cells(self) -> list[str]:
        """Return total, HasAns and NoAns as text."""
        return [format_score(value) for value in (self.total, self.has_answer, self.no_answer)]

    def sentence(self) -> str:
        """Return a line with population, total, HasAns and NoAns."""
        total, has, no = self.cells()
        return f"spans ({self.population}): token F1 {total}, HasAns {has}, NoAns {no}"


def squad_scores(intervals: Mapping[str, Mapping[str, Mapping[str, float]]]) -> list[SquadScores]:
    """Return the totals of each population, the main one first.

    Args:
        intervals: Scores with intervals by level and name, see `ModelScores.intervals`.

    Returns:
        One for each population; none if the agent predicts no spans.
    """
    return [
        SquadScores(population_name(level), own["token_f1"], own.get("has_answer"), own.get("no_answer"))
        for level, own in intervals.items()
        if level in ("natural", "annotated") and "token_f1" in own
    ]


def squad_rows(models: Mapping[str, Mapping[str, Mapping[str, Mapping[str, float]]]]) -> list[list[str]]:
    """Return the rows of a table with the columns `SPAN_COLUMNS`.

    Args:
        models: The intervals of each model, as in `squad_scores`, by its name.

    Returns:
        A row for each model and population; none if the agent predicts no spans.
    """
    return [
        [name, each.population, *each.cells()]
        for name, intervals in models.items()
        for each in squad_scores(intervals)
    ]
