"""Read the total, HasAns and NoAns of answers that are spans from the scores of an agent."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lib.metrics.objective import population_name


@dataclass(frozen=True)
class SpanTotals:
    """How well spans are answered in one population; an agent that always abstains has HasAns 0 and NoAns 1.

    Attributes:
        population: The population, in words.
        total: Mean token F1 of all pairs, within each criterion and then over the criteria.
        has_answer: The same over the pairs with evidence (HasAns); None without any.
        no_answer: The same over the pairs without evidence (NoAns); None without any.
    """

    population: str
    total: float
    has_answer: float | None
    no_answer: float | None

    def cells(self) -> list[str]:
        """Return total, HasAns and NoAns as text."""
        return ["–" if value is None else f"{value:.3f}" for value in (self.total, self.has_answer, self.no_answer)]

    def sentence(self) -> str:
        """Return a line with population, total, HasAns and NoAns."""
        total, has, no = self.cells()
        return f"spans ({self.population}): token F1 {total}, HasAns {has}, NoAns {no}"


def span_totals(scores: Mapping[str, Any]) -> list[SpanTotals]:
    """Return the totals of each population, the main one first.

    Args:
        scores: As `Agent.scores` returns them. With two tasks those of spans are under 'span'.

    Returns:
        One for each population; none if the agent predicts no spans.
    """
    populations = {scores["population"]: scores, "annotated": scores["annotated"]}
    parts = {population_name(name): own.get("span", own) for name, own in populations.items()}
    return [
        SpanTotals(name, own["token_f1"], own["has_answer"], own["no_answer"])
        for name, own in parts.items()
        if "no_answer" in own
    ]
