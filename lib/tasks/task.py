"""The interface of tasks. An agent consists of tasks, and the engine and the search use only this interface."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence, Sized
from dataclasses import replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lib.corpus.sentences import Characters
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.decision import DecisionRule, LogOddsAt, RuleValues, fit_calibration, fit_yes_no_threshold
from lib.tasks.examples import Examples, Targets, WeightedSample

Index = NDArray[np.int64]
LogitsT = TypeVar("LogitsT", bound=Sized)


def imbalance_factor(log_right: Tensor, label: Tensor, hyper: Hyperparameters) -> Tensor:
    """Return the factor on each loss that counters the imbalance of the classes.

    It is the weight of the class, times (1 − p)^γ for the probability p of the right answer (focal loss; Lin et al.,
    2017). Probabilities are calibrated after training, so neither biases them.

    Args:
        log_right: (batch,) log p.
        label: (batch,) 1 for a positive window, else 0.
        hyper: Gives the weight of positives, and γ.

    Returns:
        (batch,) the factors.
    """
    factor = torch.where(label == 1, hyper.positive_weight, 1.0)
    if hyper.focal_gamma == 0:
        return factor
    # The gradient of a power below 1 is infinite at 0.
    return factor * (-torch.expm1(log_right)).clamp(min=1e-6) ** hyper.focal_gamma


class TaskPredictions(ABC):
    """The decisions of a task about n examples, with probabilities, and how to score them.

    Attributes:
        score_names: Names of the scores of `score_from_statistics`.
        yes: (n,) True for a positive answer.
    """

    score_names: ClassVar[tuple[str, ...]]
    yes: NDArray[np.bool_]

    @property
    @abstractmethod
    def yes_probability(self) -> NDArray[np.float64]:
        """The probability of a positive answer, (n,)."""

    @abstractmethod
    def dump(self) -> dict[str, Any]:
        """Return the predictions as values that JSON can hold."""

    @classmethod
    @abstractmethod
    def load(cls, dumped: Mapping[str, Any]) -> Self:
        """Return the predictions that `dump` was called on."""

    @abstractmethod
    def score(self, examples: Examples, sample: WeightedSample) -> dict[str, Any]:
        """Score the predictions.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            Scores by name. `f1_macro`, `ece` and `per_criterion` are always among them.
        """

    @abstractmethod
    def reliability(self, examples: Examples, index: Index) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the confidences and outcomes that the ECE is computed from.

        Args:
            examples: All examples.
            index: (n,) the examples that are predicted.

        Returns:
            (n,) the confidence of each answer in [0, 1], and (n,) whether it is right.
        """

    @abstractmethod
    def sufficient_statistics(self, examples: Examples, sample: WeightedSample) -> NDArray[np.float64]:
        """Return each example's weighted statistics, whose sums determine the scores of `score_from_statistics`.

        Args:
            examples: All examples.
            sample: The n examples that are predicted, with their weights.

        Returns:
            (n, statistics).
        """

    @staticmethod
    @abstractmethod
    def score_from_statistics(sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores `score_names` of samples, as `score` computes them.

        Args:
            sums: (samples, statistics) what `sufficient_statistics` returns, summed over the examples
                of each sample. A sample may hold an example many times or not at all.

        Returns:
            (samples, scores), F1-macro and ECE first.
        """


PredictionsT = TypeVar("PredictionsT", bound=TaskPredictions)


class Task(ABC, Generic[LogitsT, PredictionsT]):
    """How to learn one kind of prediction, read it from a model's outputs, and decide.

    `LogitsT` are a task's reduced outputs for n examples before any decision. `PredictionsT` are the decisions.

    Attributes:
        name: Name of the task.
        same_policy: For a null policy of which another one makes the same decisions, the name of the other one.
    """

    name: str
    same_policy: ClassVar[Mapping[NullPolicy, NullPolicy]] = {}
    predictions: type[PredictionsT]

    @abstractmethod
    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the sum of the windows' weighted losses.

        Args:
            outputs: The model's outputs for a batch.
            targets: The targets of the batch.
            hyper: The hyper-parameters.

        Returns:
            A scalar with gradient.
        """

    @abstractmethod
    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Reduce a batch's outputs to small arrays with one row per window.

        Args:
            outputs: The model's outputs for the batch.
            targets: The targets of the batch. Only `allowed` and `cls` may be read, which do not depend on answers.
            batch: The batch.
            hyper: The hyper-parameters.

        Returns:
            Arrays by name, (batch, …) each.
        """

    @abstractmethod
    def combine_windows(
        self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index
    ) -> LogitsT:
        """Combine the rows of windows into the logits of examples.

        Args:
            rows: Arrays by name, (n_windows, …) each, as `window_logits` returns them.
            tokens: All windows of all examples.
            windows: (n_windows,) the windows that the rows belong to.
            index: (n,) the examples.

        Returns:
            The logits of the n examples.
        """

    @abstractmethod
    def select(self, logits: LogitsT, chosen: Index) -> LogitsT:
        """Return the logits of some of n examples.

        Args:
            logits: The logits of n examples.
            chosen: (m,) places in 0…n-1.

        Returns:
            The logits of m examples.
        """

    @abstractmethod
    def concatenate_logits(self, all_logits: Sequence[LogitsT]) -> LogitsT:
        """Concatenate logits, in their order."""

    @abstractmethod
    def logits_from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> LogitsT:
        """Return logits from the log odds that parts of each example's text show the criterion.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.

        Returns:
            The logits of the examples.
        """

    def log_odds(self, logits: LogitsT) -> NDArray[np.float64]:
        """Return the log odds of yes of n examples without calibration, (n,)."""
        return self.log_odds_at(logits)(np.ones(len(logits)))

    @abstractmethod
    def log_odds_at(self, logits: LogitsT) -> LogOddsAt:
        """Return a function that maps n temperatures above 0 to the log odds of yes of n examples, (n,)."""

    @abstractmethod
    def truth(self, examples: Examples, index: Index) -> NDArray[np.int64]:
        """Return 1 where yes is right, else 0, (n,).

        Args:
            examples: All examples.
            index: (n,) which of them.

        Returns:
            (n,) 1 or 0.
        """

    @abstractmethod
    def decision_function(self, logits: LogitsT, values: RuleValues, hyper: Hyperparameters) -> NDArray[np.float64]:
        """Return what the null policy compares with its threshold, (n,).

        Args:
            logits: Of n examples.
            values: The values of a rule for the n examples.
            hyper: Gives the null policy.

        Returns:
            (n,) values, of which those at or above the threshold are yes.
        """

    def fit_rules(
        self, logits: LogitsT, examples: Examples, sample: WeightedSample, each: Sequence[Hyperparameters]
    ) -> list[DecisionRule]:
        """Fit temperature, offsets and thresholds on examples with known answers, for several null policies at once.

        Args:
            logits: Of n examples.
            examples: All examples.
            sample: The n examples that the logits belong to, with their weights.
            each: Hyper-parameters that differ in their null policy. `threshold` and `ratio` have fitted thresholds.
                Others predict yes where it is more probable than no.

        Returns:
            The rule of each policy, for the criteria of these examples.
        """
        chosen = examples.main_population_index(sample.index)
        own, own_sample = self.select(logits, chosen), sample.select(chosen)
        criterion = [examples.criterion[i] for i in own_sample.index]
        truth = self.truth(examples, own_sample.index)
        temperature, offset = fit_calibration(self.log_odds_at(own), truth, criterion, own_sample.weight)
        rule = DecisionRule(temperature, offset, dict.fromkeys(offset, 0.0), 0.0)
        return [
            self._with_thresholds(rule, logits, examples, sample, hyper)
            if hyper.null_policy in ("threshold", "ratio")
            else rule
            for hyper in each
        ]

    def _with_thresholds(
        self, rule: DecisionRule, logits: LogitsT, examples: Examples, sample: WeightedSample, hyper: Hyperparameters
    ) -> DecisionRule:
        """Return a calibrated rule with fitted thresholds."""
        chosen = examples.main_population_index(sample.index)
        own, own_sample = self.select(logits, chosen), sample.select(chosen)
        criterion = [examples.criterion[i] for i in own_sample.index]
        statistic = self.decision_function(own, RuleValues.of(rule, criterion), hyper)
        threshold = self.fit_thresholds(statistic, own, examples, own_sample)
        known = np.flatnonzero(examples.annotated[sample.index])
        index = sample.index[known]
        values = RuleValues.of(
            rule.completed(sorted(set(examples.criterion))), [examples.criterion[i] for i in index]
        )
        statistic = self.decision_function(self.select(logits, known), values, hyper)
        annotated_threshold = fit_yes_no_threshold(statistic, self.truth(examples, index))
        return replace(rule, threshold=threshold, annotated_threshold=annotated_threshold)

    @abstractmethod
    def fit_thresholds(
        self, statistic: NDArray[np.float64], logits: LogitsT, examples: Examples, sample: WeightedSample
    ) -> dict[str, float]:
        """Return the thresholds by criterion that maximise F1-macro, as `TaskPredictions.score` computes it.

        Args:
            statistic: (n,) what the null policy compares with its threshold.
            logits: Of n examples.
            examples: All examples.
            sample: The n examples that the logits belong to, with their weights.

        Returns:
            The threshold of each criterion.
        """

    @abstractmethod
    def decide(
        self, logits: LogitsT, values: RuleValues, hyper: Hyperparameters, threshold: NDArray[np.float64]
    ) -> PredictionsT:
        """Decide by the null policy.

        Args:
            logits: Of n examples.
            values: Temperature and offset of the n examples.
            hyper: Gives the null policy.
            threshold: (n,) the thresholds of the population.

        Returns:
            The predictions for the n examples.
        """

    @abstractmethod
    def average_logits(
        self, members: Sequence[tuple[LogitsT, RuleValues]], weights: Sequence[float] | None = None
    ) -> LogitsT:
        """Average the calibrated probabilities of several models, and return logits that have them.

        Args:
            members: The logits of each model for the same n examples, and the values of its rule.
            weights: The weight of each model; None for equal ones.

        Returns:
            The logits of the n examples, to be used at temperature 1 without offsets.
        """

    @abstractmethod
    def dump_logits(self, logits: LogitsT) -> Any:
        """Return logits as values that JSON can hold."""

    @abstractmethod
    def load_logits(self, dumped: Any) -> LogitsT:
        """Return the logits that `dump_logits` was called on."""
