"""The interface of agents, which is all that the engine and the search know of them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lib.corpus.sentences import Characters
from lib.metrics.resampling import ScoreFromStatistics
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, SpecialTokens, Tokens
from lib.settings.hyperparameters import Hyperparameters, NullPolicy
from lib.tasks.decision import DecisionRule, RuleValues
from lib.tasks.examples import Examples, Targets, TextPairs, WeightedSample
from lib.tasks.task import Index, Task

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import CorpusPart

# Standard deviation of log odds below which the outputs count as constant.
_COLLAPSED = 0.2
Logits = dict[str, Any]
Predictions = dict[str, Any]
Rules = Mapping[str, DecisionRule]
AllValues = Mapping[str, RuleValues]


@dataclass(frozen=True)
class Features:
    """An agent's examples as windows of tokens for each of its encoders, with the targets of each window.

    Attributes:
        tokens: One for each encoder, with the same windows. Spans are predicted on the tokens of the first one.
        targets: The targets of the windows, with the flat arrays of the first encoder's tokens.
    """

    tokens: tuple[Tokens, ...]
    targets: Targets

    def windows(self, examples: Index) -> Index:
        """Return the numbers of the windows of these examples, ascending."""
        return self.tokens[0].windows(examples)

    @cached_property
    def token_counts(self) -> Index:
        """Number of tokens of each window for each encoder, (windows, encoders)."""
        return np.stack([tokens.lengths for tokens in self.tokens], axis=1)

    @cached_property
    def lengths(self) -> Index:
        """Number of tokens of each window, summed over encoders, (windows,)."""
        lengths: Index = self.token_counts.sum(axis=1)
        return lengths

    def to(self, device: torch.device) -> "Features":
        """Return a copy on a device; `batch` then works there."""
        # Encoders that share one object of tokens must still share one, so that `batch` pads it only once.
        there = {id(tokens): tokens.to(device) for tokens in self.tokens}
        return Features(tuple(there[id(tokens)] for tokens in self.tokens), self.targets.to(device))

    def batch(self, windows: Index) -> tuple[list[dict[str, Tensor]], Targets, Batch]:
        """Return each encoder's inputs, the targets and the first encoder's batch, on the device of the features."""
        made = {id(tokens): tokens.batch(windows) for tokens in self.tokens}
        batches = [made[id(tokens)] for tokens in self.tokens]
        return [batch.inputs for batch in batches], self.targets.batch(batches[0]), batches[0]


def halves(examples: Examples, index: Index) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return two halves of some examples; every other group of posts is in the second one.

    Args:
        examples: All examples.
        index: (n,) which of them.

    Returns:
        (n,) masks of both halves.
    """
    second = np.unique(examples.group[index], return_inverse=True)[1] % 2 == 1
    return ~second, second


class Agent(ABC):
    """Builds examples and a model, and names the tasks that the model is trained for.

    Attributes:
        name: The agent's name in commands and result files.
        tasks: The tasks, in a fixed order.
        reads_posts: Whether the texts are posts, which are read in windows. Other texts are sentences, which are cut
            off at the maximum length.
    """

    name: str
    tasks: Sequence[Task[Any, Any]]
    reads_posts: bool

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of the scores that the sums of `sufficient_statistics` give, F1-macro and ECE first."""
        return tuple(dict.fromkeys(name for task in self.tasks for name in task.predictions.score_names))

    @abstractmethod
    def examples(self, part: "CorpusPart") -> Examples:
        """Return all (criterion, text) pairs of natural prevalence in a part of the corpus, as examples.

        Args:
            part: The development set or the test set. If its unannotated pairs are unknown, they are left out.

        Returns:
            The examples.
        """

    @abstractmethod
    def backbone_names(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of each encoder's backbone; the first encoder is the one that predicts spans."""

    @abstractmethod
    def model(
        self, encoders: Sequence[nn.Module], special: Sequence[SpecialTokens], hyper: Hyperparameters
    ) -> nn.Module:
        """Return a model of encoders with new heads, whose weights come from torch's global generator.

        Args:
            encoders: One for each of `backbone_names`.
            special: The ids of the cls and the sep token in each encoder's vocabulary.
            hyper: Gives pooling, heads and fusion.

        Returns:
            A model that takes each encoder's inputs and returns the outputs that the tasks' losses take.
        """

    def distinct_policies(self, policies: Sequence[NullPolicy]) -> tuple[NullPolicy, ...]:
        """Return the null policies that decide differently for this agent, each the first of its kind."""
        kinds: dict[tuple[NullPolicy, ...], NullPolicy] = {}
        for policy in policies:
            kinds.setdefault(tuple(task.same_policy.get(policy, policy) for task in self.tasks), policy)
        return tuple(kinds.values())

    def weight(self, task: str, hyper: Hyperparameters) -> float:
        """Return the weight of a task's loss.

        Args:
            task: The task's name.
            hyper: Its `span_weight` w gives the span task w and the label task 1 - w.

        Returns:
            The weight, which is 1 for an only task.
        """
        if len(self.tasks) == 1:
            return 1.0
        return hyper.span_weight if task == "span" else 1 - hyper.span_weight

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the tasks' losses, weighted and summed over tasks and windows.

        Args:
            outputs: The model's outputs for a batch.
            targets: The targets of the batch.
            hyper: Gives the weights of the tasks and the label smoothing.

        Returns:
            A scalar with gradient.
        """
        losses = [self.weight(task.name, hyper) * task.loss(outputs, targets, hyper) for task in self.tasks]
        return torch.stack(losses).sum()

    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Reduce a batch's outputs to small arrays with one row per window.

        Args:
            outputs: The model's outputs for the batch.
            targets: The targets of the batch.
            batch: The batch of the first encoder.
            hyper: Gives the greatest number of tokens of an answer.

        Returns:
            The arrays of each task under the names 'task.array', (batch, …) each.
        """
        return {
            f"{task.name}.{name}": value
            for task in self.tasks
            for name, value in task.window_logits(outputs, targets, batch, hyper).items()
        }

    def combine_windows(
        self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index
    ) -> Logits:
        """Combine the rows of windows into the logits of examples.

        Args:
            rows: Arrays under the names 'task.array', (n_windows, …) each, as `window_logits` returns them.
            tokens: All windows of all examples, as tokens of the first encoder.
            windows: (n_windows,) the windows that the rows belong to.
            index: (n,) the examples.

        Returns:
            The logits of the n examples by task.
        """
        return {
            task.name: task.combine_windows(
                {name.split(".")[1]: v for name, v in rows.items() if name.startswith(f"{task.name}.")},
                tokens,
                windows,
                index,
            )
            for task in self.tasks
        }

    def fit_rules(
        self,
        logits: Logits,
        examples: Examples,
        sample: WeightedSample,
        hyper: Hyperparameters,
        criteria: Sequence[str] | None = None,
    ) -> Rules:
        """Fit the decision rule of each task.

        Args:
            logits: The logits of n examples, by task.
            examples: All examples.
            sample: The n examples that the logits belong to, with their weights.
            hyper: Gives the null policy.
            criteria: The criteria that the rules must know, see `DecisionRule.completed`; None for those in `sample`.

        Returns:
            The rules by task.
        """
        return self._fit_rules_each(logits, examples, sample, [hyper], criteria)[0]

    def _fit_rules_each(
        self,
        logits: Logits,
        examples: Examples,
        sample: WeightedSample,
        each: Sequence[Hyperparameters],
        criteria: Sequence[str] | None,
    ) -> list[Rules]:
        """Return the rules by task for each of several null policies."""
        found = {task.name: task.fit_rules(logits[task.name], examples, sample, each) for task in self.tasks}
        return [
            {
                name: rules[place] if criteria is None else rules[place].completed(criteria)
                for name, rules in found.items()
            }
            for place in range(len(each))
        ]

    def neutral_rules(self, criteria: Sequence[str]) -> Rules:
        """Return rules that change no probability and predict yes where it is the more probable answer."""
        return {task.name: DecisionRule.neutral(criteria) for task in self.tasks}

    def rule_values(self, rules: Rules, pairs: TextPairs, index: Index) -> AllValues:
        """Return the values of rules for some (criterion, text) pairs, by task.

        Args:
            rules: The decision rule of each task.
            pairs: All pairs.
            index: (n,) which of them.

        Returns:
            The values of each task's rule for the n pairs, by task.
        """
        criterion = [pairs.criterion[i] for i in index]
        return {name: RuleValues.of(rule, criterion) for name, rule in rules.items()}

    def cross_fit(
        self, logits: Logits, examples: Examples, sample: WeightedSample, hyper: Hyperparameters
    ) -> AllValues:
        """Fit rules on each half of the groups of posts and apply them to the other half.

        No example is thus scored by rules that were fitted on it.

        Args:
            logits: Of n examples, by task.
            examples: All examples.
            sample: The n examples that the logits belong to, with their weights.
            hyper: Gives the null policy.

        Returns:
            The values for the n examples, by task. They are neutral where the other half is empty.
        """
        return self.cross_fit_each(logits, examples, sample, [hyper])[0]

    def cross_fit_each(
        self, logits: Logits, examples: Examples, sample: WeightedSample, each: Sequence[Hyperparameters]
    ) -> list[AllValues]:
        """Return what `cross_fit` returns for each of several null policies, with one fit of temperature and offset.

        Args:
            logits: Of n examples, by task.
            examples: All examples.
            sample: The n examples that the logits belong to, with their weights.
            each: Hyper-parameters that differ in their null policy.

        Returns:
            The values for the n examples, by task, for each policy.
        """
        names = sorted({examples.criterion[i] for i in sample.index})
        neutral = dict(self.neutral_rules(names))
        parts: list[dict[str, list[tuple[RuleValues, NDArray[np.bool_]]]]] = [
            {task.name: [] for task in self.tasks} for _ in each
        ]
        for own in halves(examples, sample.index):
            there, fitted = np.flatnonzero(~own), [neutral] * len(each)
            if len(there):
                others, others_sample = self.select(logits, there), sample.select(there)
                fitted = [dict(r) for r in self._fit_rules_each(others, examples, others_sample, each, names)]
            for found, rules in zip(parts, fitted, strict=True):
                for name, values in self.rule_values(rules, examples, sample.index[own]).items():
                    found[name].append((values, own))
        return [{name: RuleValues.merged(found) for name, found in part.items()} for part in parts]

    def decide(self, logits: Logits, values: AllValues, hyper: Hyperparameters) -> Predictions:
        """Decide at the thresholds of natural prevalence.

        Args:
            logits: Of n examples, by task.
            values: The values of the rules for these examples, by task.
            hyper: Gives the null policy.

        Returns:
            The predictions by task.
        """
        return {
            task.name: task.decide(logits[task.name], values[task.name], hyper, values[task.name].threshold)
            for task in self.tasks
        }

    def decide_annotated(self, logits: Logits, values: AllValues, hyper: Hyperparameters) -> Predictions:
        """Decide at the threshold of annotated pairs.

        Args:
            logits: Of n examples, by task.
            values: The values of the rules for these examples, by task.
            hyper: Gives the null policy.

        Returns:
            The predictions by task.
        """
        return {
            task.name: task.decide(logits[task.name], values[task.name], hyper, values[task.name].annotated_threshold)
            for task in self.tasks
        }

    def select(self, logits: Logits, chosen: Index) -> Logits:
        """Return the logits of some of the examples, given by their places.

        Args:
            logits: Of n examples, by task.
            chosen: Places of the chosen ones among the n.

        Returns:
            Their logits, by task.
        """
        return {task.name: task.select(logits[task.name], chosen) for task in self.tasks}

    def concatenate_logits(self, all_logits: Sequence[Logits]) -> Logits:
        """Concatenate the logits of several sets of examples, in their order."""
        return {
            task.name: task.concatenate_logits([logits[task.name] for logits in all_logits]) for task in self.tasks
        }

    def concatenate_values(self, all_values: Sequence[AllValues]) -> AllValues:
        """Concatenate the values of rules for several sets of examples, in their order."""
        return {
            task.name: RuleValues.concatenated([values[task.name] for values in all_values]) for task in self.tasks
        }

    def logits_from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Logits:
        """Return logits from scored parts of each example's text.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.

        Returns:
            The logits of the examples, by task.
        """
        return {task.name: task.logits_from_log_odds(scored) for task in self.tasks}

    def average_logits(
        self, members: Sequence[tuple[Logits, AllValues]], weights: Sequence[float] | None = None
    ) -> Logits:
        """Average the calibrated probabilities of several models for the same examples, and return their logits.

        Args:
            members: The logits of each model, and the values of its rules.
            weights: The weight of each model; None for equal ones.

        Returns:
            The logits by task, to be used at temperature 1 without offsets.
        """
        return {
            task.name: task.average_logits(
                [(logits[task.name], values[task.name]) for logits, values in members], weights
            )
            for task in self.tasks
        }

    def collapsed(self, logits: Logits) -> bool:
        """Return whether every task gives all examples nearly the same log odds.

        Decisions do not show this, since fitted thresholds part even a model's noise.
        """
        return all(float(np.std(task.log_odds(logits[task.name]))) < _COLLAPSED for task in self.tasks)

    def scores(
        self, logits: Logits, values: AllValues, examples: Examples, sample: WeightedSample, hyper: Hyperparameters
    ) -> dict[str, Any]:
        """Score logits for a sample of natural prevalence, and for the annotated pairs in it.

        Args:
            logits: Of n examples, by task.
            values: The values of the rules for these examples, by task.
            examples: All examples.
            sample: The n examples, with their weights.
            hyper: Gives the null policy.

        Returns:
            `population`, the scores at natural prevalence (see `combined_scores`), and under `annotated` those of the
            annotated pairs, which are decided at their own threshold. If the sample has no natural pairs, the
            population is 'annotated', and all scores are those of the annotated pairs. Criteria that do not count
            are left out.
        """
        counted = np.flatnonzero(examples.counted[sample.index])
        logits, values = self.select(logits, counted), {name: value.select(counted) for name, value in values.items()}
        sample = sample.select(counted)
        known = np.flatnonzero(examples.annotated[sample.index])
        natural = np.flatnonzero(examples.natural[sample.index])
        own = {name: value.select(known) for name, value in values.items()}
        annotated = self.combined_scores(
            self.decide_annotated(self.select(logits, known), own, hyper),
            examples,
            WeightedSample.uniform(sample.index[known]),
        )
        if not len(natural):
            return {"population": "annotated", **annotated, "annotated": annotated}
        values = {name: value.select(natural) for name, value in values.items()}
        found = self.combined_scores(
            self.decide(self.select(logits, natural), values, hyper), examples, sample.select(natural)
        )
        return {"population": "natural", **found, "annotated": annotated}

    def combined_scores(self, predictions: Predictions, examples: Examples, sample: WeightedSample) -> dict[str, Any]:
        """Score predictions.

        Args:
            predictions: The predictions for n examples, by task.
            examples: All examples.
            sample: The n examples that the predictions belong to, with their weights.

        Returns:
            The scores of an only task. With two tasks, the means of the scores that both have, overall and of the F1
            within each criterion (`per_criterion`), and each task's scores under its name.
        """
        parts = {task.name: predictions[task.name].score(examples, sample) for task in self.tasks}
        if len(parts) == 1:
            return next(iter(parts.values()))
        each = list(parts.values())
        shared = [name for name in each[0] if all(_is_score(part.get(name, "")) for part in each)]
        criteria = {name: [part["per_criterion"][name]["f1"] for part in each] for name in each[0]["per_criterion"]}
        return {
            **{name: _mean_or_none([part[name] for part in each]) for name in shared},
            "without_positive": each[0]["without_positive"],
            "per_criterion": {name: {"f1": _mean_or_none(values)} for name, values in criteria.items()},
            **parts,
        }

    def sufficient_statistics(
        self, predictions: Predictions, examples: Examples, sample: WeightedSample
    ) -> tuple[NDArray[np.float64], ScoreFromStatistics]:
        """Return statistics of each example, and the function that maps sums of them to scores.

        Args:
            predictions: The predictions for n examples, by task.
            examples: All examples.
            sample: The n examples that the predictions belong to, with their weights.

        Returns:
            (n, statistics), and a function that maps (samples, statistics), the sums over each sample's examples, to
            (samples, scores), the scores `score_names`, each the mean over the tasks that have it.
        """
        parts = [predictions[task.name].sufficient_statistics(examples, sample) for task in self.tasks]
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]

        def score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in self.score_names}
            for task, own in zip(self.tasks, np.split(sums, ends, axis=1), strict=True):
                scores = task.predictions.score_from_statistics(own)
                for name, values in zip(task.predictions.score_names, scores.T, strict=True):
                    found[name].append(values)
            return np.stack([np.mean(values, axis=0) for values in found.values()], axis=1)

        return np.hstack(parts), score

    def dump_logits(self, logits: Logits) -> dict[str, Any]:
        """Return logits as values that JSON can hold."""
        return {task.name: task.dump_logits(logits[task.name]) for task in self.tasks}

    def load_logits(self, dumped: Mapping[str, Any]) -> Logits:
        """Return the logits of a dump."""
        return {task.name: task.load_logits(dumped[task.name]) for task in self.tasks}

    def dump(self, predictions: Predictions) -> dict[str, Any]:
        """Return the predictions as values that JSON can hold."""
        return {task.name: predictions[task.name].dump() for task in self.tasks}

    def load(self, dumped: Mapping[str, Any]) -> Predictions:
        """Return the predictions of a dump."""
        return {task.name: task.predictions.load(dumped[task.name]) for task in self.tasks}


def _is_score(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _mean_or_none(values: Sequence[Any]) -> float | None:
    """Return the mean of scores, None if one of them is undefined."""
    return None if None in values else float(np.mean(values))
