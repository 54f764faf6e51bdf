"""What every agent provides; the engine and the search know agents only through this."""

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

if TYPE_CHECKING:  # pandas takes a second, and the engine does without
    from lib.corpus.store import Part

Logits = dict[str, Any]
Predictions = dict[str, Any]
Temperatures = Mapping[str, float]


@dataclass(frozen=True)
class Features:
    """An agent's examples as windows of tokens, for each of its encoders, and what is to be learnt from each window.

    tokens: the same windows for every encoder; spans are those of the first.
    """

    tokens: tuple[Tokens, ...]
    targets: Targets

    def windows(self, examples: Index) -> Index:
        """Return the windows of the named examples."""
        return self.tokens[0].windows(examples)

    @cached_property
    def shapes(self) -> Index:
        """Tokens per window for each encoder, (windows, encoders)."""
        return np.stack([tokens.lengths for tokens in self.tokens], axis=1)

    @cached_property
    def lengths(self) -> Index:
        """Tokens per window, over all encoders."""
        lengths: Index = self.shapes.sum(axis=1)
        return lengths

    def to(self, device: torch.device) -> "Features":
        """Bring everything to a device: batches are made there."""
        # Encoders that share their tokens share them there too.
        there = {id(tokens): tokens.to(device) for tokens in self.tokens}
        return Features(tuple(there[id(tokens)] for tokens in self.tokens), self.targets.to(device))

    def batch(self, windows: Index) -> tuple[list[dict[str, Tensor]], Targets, Batch]:
        """Return inputs for each encoder and targets, where the features are, and the first encoder's batch."""
        made = {id(tokens): tokens.batch(windows) for tokens in self.tokens}
        batches = [made[id(tokens)] for tokens in self.tokens]
        return [batch.inputs for batch in batches], self.targets.batch(batches[0]), batches[0]


class Agent(ABC):
    """Examples, a model and the tasks it is for. Everything else follows from these."""

    name: str
    tasks: Sequence[Task[Any, Any]]
    # Posts are read in windows of any number; sentences are cut at the maximum length.
    reads_posts: bool

    @abstractmethod
    def examples(self, part: "Part", *, unannotated: float, seed: int) -> Examples:
        """Return the examples of a part of the corpus, in the corpus' order.

        unannotated: unannotated (post, criterion) pairs, as a share of the annotated ones, that a span agent draws by
        `seed` as examples without evidence.
        """

    @abstractmethod
    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Name the backbone of each encoder; the first reads for spans."""

    @abstractmethod
    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Put heads on encoders, each with its cls token. New weights come from torch's global generator.

        The model takes each encoder's inputs and returns what the tasks' losses take.
        """

    def weight(self, task: str, hyper: Hyperparameters) -> float:
        """Return a task's weight in the loss: loss.span_weight shares it out where there are two."""
        if len(self.tasks) == 1:
            return 1.0
        return hyper.span_weight if task == "span" else 1 - hyper.span_weight

    def loss(self, outputs: Outputs, targets: Targets, hyper: Hyperparameters) -> Tensor:
        """Return the weighted sum of the windows' losses."""
        losses = [self.weight(task.name, hyper) * task.loss(outputs, targets, hyper) for task in self.tasks]
        return torch.stack(losses).sum()

    def window_logits(
        self, outputs: Outputs, targets: Targets, batch: Batch, hyper: Hyperparameters
    ) -> dict[str, Tensor]:
        """Reduce a batch's outputs to rows, under names 'task.array'."""
        return {
            f"{task.name}.{name}": value
            for task in self.tasks
            for name, value in task.window_logits(outputs, targets, batch, hyper).items()
        }

    def gather(self, rows: Mapping[str, NDArray[Any]], tokens: Tokens, windows: Index, index: Index) -> Logits:
        """Put the windows' rows together to the logits of examples[index]."""
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
        """Decide at each task's temperature.

        Without temperatures the `calibrated` null policy fits its own across: on each half of the posts for the
        other, so never on what it is used for.
        """
        predictions: Predictions = {}
        for task in self.tasks:
            own = logits[task.name]
            if temperatures is not None:
                temperature = np.full(len(index), temperatures[task.name])
            elif hyper.null_policy != "calibrated":
                temperature = np.full(len(index), hyper.null_temperature)
            else:
                temperature = _across(task, own, examples, index)
            predictions[task.name] = task.decide(own, temperature, hyper)
        return predictions

    def temperatures(self, logits: Logits, examples: Examples, index: Index, hyper: Hyperparameters) -> Temperatures:
        """Return each task's temperature: fitted on these examples by the `calibrated` null policy, else its own."""
        if hyper.null_policy != "calibrated":
            return {task.name: hyper.null_temperature for task in self.tasks}
        return {task.name: task.fit_temperature(logits[task.name], examples, index) for task in self.tasks}

    def to_logits(self, predictions: Predictions, temperatures: Temperatures) -> Logits:
        """Return the logits that gave answers at these temperatures."""
        return {task.name: predictions[task.name].to_logits(temperatures[task.name]) for task in self.tasks}

    def concatenate(self, all_logits: Sequence[Logits]) -> Logits:
        """Return logits one after the other."""
        return {task.name: task.concatenate([logits[task.name] for logits in all_logits]) for task in self.tasks}

    def from_log_odds(self, scored: Sequence[Sequence[tuple[Characters, float]]]) -> Predictions:
        """Return answers, without policy, from the log odds that parts of each example's text are evidence."""
        return {task.name: task.from_log_odds(scored) for task in self.tasks}

    def collapsed(self, predictions: Predictions) -> bool:
        """Whether all examples get the same yes or no in every task, whatever the null policy."""
        yes = [predictions[task.name].yes_probability > 0.5 for task in self.tasks]
        return all(bool((each == each[0]).all()) for each in yes)

    def scores(self, predictions: Predictions, examples: Examples, index: Index) -> dict[str, Any]:
        """Score answers for examples[index]: one task's scores, or the means of two tasks' beside their own."""
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
        """Return what each example adds to sums, (n, terms), and what makes F1-macro and ECE of such sums.

        The latter maps (samples, terms) to (samples, 2), as `scores` says for one sample.
        """
        parts = [task.sufficient_statistics(predictions[task.name], examples, index) for task in self.tasks]
        ends = np.cumsum([part.shape[1] for part in parts])[:-1]

        def measure(sums: NDArray[np.float64]) -> NDArray[np.float64]:
            of_tasks = zip(self.tasks, np.split(sums, ends, axis=1), strict=True)
            return np.asarray(np.mean([task.score_from_statistics(own) for task, own in of_tasks], axis=0))

        return np.hstack(parts), measure

    def average(self, members: Sequence[Predictions]) -> Predictions:
        """Average several models' answers for the same examples."""
        return {task.name: task.predictions.average([member[task.name] for member in members]) for task in self.tasks}

    def dump(self, predictions: Predictions) -> dict[str, Any]:
        """Return answers as JSON can hold them."""
        return {task.name: predictions[task.name].dump() for task in self.tasks}

    def load(self, dumped: Mapping[str, Any]) -> Predictions:
        """Return what `dump` was given."""
        return {task.name: task.predictions.load(dumped[task.name]) for task in self.tasks}


def _across(task: Task[Any, Any], logits: Any, examples: Examples, index: Index) -> NDArray[np.float64]:
    place = {post: place for place, post in enumerate(sorted({examples.post_id[i] for i in index}))}
    half = np.array([place[examples.post_id[i]] % 2 for i in index])
    temperature = np.ones(len(index))
    for own in (0, 1):
        there = np.flatnonzero(half != own)
        if len(there):
            fitted = task.fit_temperature(task.select(logits, there), examples, index[there])
            temperature[half == own] = fitted
    return temperature
