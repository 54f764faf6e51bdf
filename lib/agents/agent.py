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

from lib.metrics.resampling import ScoreFromStatistics
from lib.modeling.models import Outputs
from lib.modeling.tokens import Batch, Tokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples, Targets
from lib.tasks.task import Index, Task

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import Part

Logits = dict[str, Any]
Predictions = dict[str, Any]
Temperatures = Mapping[str, float]


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
    def shapes(self) -> Index:
        """Number of tokens of each window for each encoder, (windows, encoders)."""
        return np.stack([tokens.lengths for tokens in self.tokens], axis=1)

    @cached_property
    def lengths(self) -> Index:
        """Number of tokens of each window, summed over encoders, (windows,)."""
        lengths: Index = self.shapes.sum(axis=1)
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

    @abstractmethod
    def examples(self, part: "Part", *, unannotated: float, seed: int) -> Examples:
        """Return the examples of a part of the corpus, in the order of the corpus.

        Args:
            part: The development set or the test set.
            unannotated: The number of unannotated (post, criterion) pairs that an agent of posts adds as examples
                without evidence, as a share of the number of annotated pairs.
            seed: Seed of the draw of these pairs.

        Returns:
            The examples.
        """

    @abstractmethod
    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of each encoder's backbone; the first encoder is the one that predicts spans."""

    @abstractmethod
    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a model of encoders with new heads, whose weights come from torch's global generator.

        Args:
            encoders: One for each name of `backbones`.
            cls_token_ids: The id of the cls token in each encoder's vocabulary.
            hyper: Gives pooling, heads and fusion.

        Returns:
            A model that takes each encoder's inputs and returns the outputs that the tasks' losses take.
        """

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

    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> Logits:
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
            task.name: task.gather(
                {name.split(".")[1]: v for name, v in rows.items() if name.startswith(f"{task.name}.")},
                tokens,
                windows,
                index,
            )
            for task in self.tasks
        }

    def decide(
        self,
        logits: Logits,
        examples: Examples,
        index: Index,
        hyper: Hyperparameters,
        temperatures: Temperatures | None = None,
    ) -> Predictions:
        """Decide for each task by the null policy.

        Args:
            logits: The logits of n examples, by task.
            examples: All examples.
            index: (n,) the examples that the logits belong to.
            hyper: Gives the null policy.
            temperatures: One for each task. Without them the `calibrated` null policy cross-fits them: the
                temperature of each half of the posts is fitted on the other half, so an example never calibrates
                itself. Other policies use `null_policy.temperature`.

        Returns:
            The predictions by task.
        """
        predictions: Predictions = {}
        for task in self.tasks:
            own = logits[task.name]
            if temperatures is not None:
                temperature = np.full(len(index), temperatures[task.name])
            elif hyper.null_policy != "calibrated":
                temperature = np.full(len(index), hyper.null_temperature)
            else:
                temperature = _cross_fit_temperatures(task, own, examples, index)
            predictions[task.name] = task.decide(own, temperature, hyper)
        return predictions

    def temperatures(self, logits: Logits, examples: Examples, index: Index, hyper: Hyperparameters) -> Temperatures:
        """Return the temperature of each task.

        Args:
            logits: The logits of n examples, by task.
            examples: All examples.
            index: (n,) the examples that the logits belong to.
            hyper: Gives the null policy.

        Returns:
            Temperatures by task. The `calibrated` null policy fits them on these examples; other policies use
            `null_policy.temperature`.
        """
        if hyper.null_policy != "calibrated":
            return {task.name: hyper.null_temperature for task in self.tasks}
        return {task.name: task.fit_temperature(logits[task.name], examples, index) for task in self.tasks}

    def to_logits(self, predictions: Predictions, temperatures: Temperatures) -> Logits:
        """Return the logits that led to predictions.

        Args:
            predictions: By task.
            temperatures: By task, as they were when the predictions were made.

        Returns:
            The logits by task.
        """
        return {task.name: predictions[task.name].to_logits(temperatures[task.name]) for task in self.tasks}

    def concatenate(self, all_logits: Sequence[Logits]) -> Logits:
        """Concatenate the logits of several sets of examples, in their order."""
        return {task.name: task.concatenate([logits[task.name] for logits in all_logits]) for task in self.tasks}

    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Predictions:
        """Return predictions, without a null policy, from scored parts of each example's text.

        Args:
            scored: For each example, the characters [start, end) of its parts and their log odds.
        """
        return {task.name: task.from_log_odds(scored) for task in self.tasks}

    def collapsed(self, predictions: Predictions) -> bool:
        """Return whether every task puts all examples on the same side of probability 0.5, before any null policy."""
        yes = [predictions[task.name].yes_probability > 0.5 for task in self.tasks]
        return all(bool((each == each[0]).all()) for each in yes)

    def scores(self, predictions: Predictions, examples: Examples, index: Index) -> dict[str, Any]:
        """Score the predictions.

        Args:
            predictions: The predictions for n examples, by task.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            The scores of an only task. With two tasks, the means of their F1-macro and ECE, overall (`f1_macro`,
            `ece`) and of F1-macro within each criterion (`per_criterion`), and each task's scores under its name.
        """
        parts = {task.name: task.score(predictions[task.name], examples, index) for task in self.tasks}
        if len(parts) == 1:
            return next(iter(parts.values()))
        each = list(parts.values())
        return {
            "f1_macro": float(np.mean([part["f1_macro"] for part in each])),
            "ece": float(np.mean([part["ece"] for part in each])),
            "per_criterion": {
                name: {"f1_macro": float(np.mean([part["per_criterion"][name]["f1_macro"] for part in each]))}
                for name in each[0]["per_criterion"]
            },
            **parts,
        }

    def sufficient_statistics(
        self, predictions: Predictions, examples: Examples, index: Index
    ) -> tuple[NDArray[np.float64], ScoreFromStatistics]:
        """Return statistics of each example, and the function that maps sums of them to scores.

        Args:
            predictions: The predictions for n examples, by task.
            examples: All examples.
            index: (n,) the examples that the predictions belong to.

        Returns:
            (n, statistics), and a function that maps (samples, statistics), the sums over each sample's examples, to
            (samples, 2), the F1-macro and ECE that `scores` returns for such a sample.
        """
        parts = [task.sufficient_statistics(predictions[task.name], examples, index) for task in self.tasks]
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]

        def score(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            of_tasks = zip(self.tasks, np.split(sums, ends, axis=1), strict=True)
            return np.asarray(np.mean([task.score_from_statistics(own) for task, own in of_tasks], axis=0))

        return np.hstack(parts), score

    def average(self, members: Sequence[Predictions]) -> Predictions:
        """Average the predictions of several models for the same examples, without a null policy."""
        return {task.name: task.predictions.average([member[task.name] for member in members]) for task in self.tasks}

    def dump(self, predictions: Predictions) -> dict[str, Any]:
        """Return the predictions as values that JSON can hold."""
        return {task.name: predictions[task.name].dump() for task in self.tasks}

    def load(self, dumped: Mapping[str, Any]) -> Predictions:
        """Return the predictions of a dump."""
        return {task.name: task.predictions.load(dumped[task.name]) for task in self.tasks}


def _cross_fit_temperatures(
    task: Task[Any, Any], logits: Any, examples: Examples, index: Index
) -> NDArray[np.float64]:
    """Return a temperature for each example, (n,), fitted on the half of the posts that does not hold it.

    It is 1 where that half is empty.
    """
    place = {post: place for place, post in enumerate(sorted({examples.post_id[i] for i in index}))}
    half = np.array([place[examples.post_id[i]] % 2 for i in index])
    temperature = np.ones(len(index))
    for own in (0, 1):
        there = np.flatnonzero(half != own)
        if len(there):
            fitted = task.fit_temperature(task.select(logits, there), examples, index[there])
            temperature[half == own] = fitted
    return temperature
