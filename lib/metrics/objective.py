"""Choose the two numbers that a search maximises and minimises from the scores of a model."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:  # the engine runs where pydantic is not installed
    from lib.settings.config import ObjectiveSettings

SCORE_NAMES = {
    "f1_macro": "F1-macro",
    "f1_micro": "F1-micro",
    "f1_yes_no": "F1 of yes and no",
    "precision": "precision",
    "sensitivity": "sensitivity",
    "average_precision": "average precision",
    "auroc": "AUROC",
    "prevalence": "prevalence",
    "yes_rate": "predicted positive",
    "mean_probability": "mean probability",
    "brier_skill": "Brier skill",
    "ece_of_yes": "ECE of yes",
    "classwise_ece": "class-wise ECE",
    "ece": "ECE",
}


@dataclass(frozen=True)
class Objective:
    """What a search maximises and minimises.

    Attributes:
        metric: Name of the score to maximise.
        population: 'natural' or 'annotated'.
        calibration: Name of the calibration error to minimise. 'brier_skill' stands for 1 − Brier skill.
    """

    metric: str = "f1_macro"
    population: str = "natural"
    calibration: str = "brier_skill"

    @classmethod
    def of(cls, settings: "ObjectiveSettings") -> Self:
        """Return the objective that the configuration asks for."""
        return cls(settings.metric, settings.population, settings.calibration)

    def values(self, scores: Mapping[str, Any]) -> tuple[float, float]:
        """Return the score and the calibration error of a model.

        Args:
            scores: As `Agent.scores` returns them. A score or skill that is undefined counts as 0.

        Returns:
            The score, which is maximised, and the error, which is minimised.
        """
        own = scores if self.population == scores["population"] else scores[self.population]
        error = own[self.calibration]
        if self.calibration == "brier_skill":
            error = 1.0 - (error or 0.0)
        return float(own[self.metric] or 0.0), float(error)

    def added_to(self, scores: Mapping[str, Any]) -> dict[str, Any]:
        """Return scores with `objective` and `calibration_error` (see `values`) before them."""
        objective, calibration_error = self.values(scores)
        return {"objective": objective, "calibration_error": calibration_error, **scores}

    @property
    def name(self) -> str:
        """The metric and its population, in words."""
        return f"{SCORE_NAMES[self.metric]} ({population_name(self.population)})"

    @property
    def calibration_name(self) -> str:
        """The calibration error, in words."""
        name = SCORE_NAMES[self.calibration]
        return f"1 − {name}" if self.calibration == "brier_skill" else name

    @property
    def full_calibration_name(self) -> str:
        """The calibration error and its population, in words."""
        return f"{self.calibration_name} ({population_name(self.population)})"

    @property
    def both_names(self) -> str:
        """The metric and the calibration error, with the population of both."""
        return f"{SCORE_NAMES[self.metric]} and {self.calibration_name} {in_population(self.population)}"

    def describe(self, score: str, error: str) -> str:
        """Return both numbers with their names, after the name of their population.

        Args:
            score: The score, as text.
            error: The calibration error, as text.

        Returns:
            A phrase such as 'natural prevalence: F1-macro 0.512, 1 − Brier skill 0.701'.
        """
        where = population_name(self.population)
        return f"{where}: {SCORE_NAMES[self.metric]} {score}, {self.calibration_name} {error}"


WITHHELD = (
    "Figures at natural prevalence are withheld, because unannotated pairs have no label in this corpus"
    " (corpus.unannotated_means: unknown)."
)


def population_name(population: str) -> str:
    """Return a population, or a level of the test evaluation (`ModelScores.intervals`), in words."""
    return {
        "natural": "natural prevalence",
        "annotated": "annotated pairs",
        "post_criterion": "natural prevalence, by (post, criterion)",
        "post": "natural prevalence, by post (set of criteria or none)",
    }[population]


def in_population(population: str) -> str:
    """Return a population in words, with its preposition."""
    return f"{'at' if population == 'natural' else 'on'} {population_name(population)}"
