"""Split an agent's examples for the search (Stages A and B) and for cross-validation (Stage C)."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from lib.agents.agent import Agent
from lib.corpus.store import DevelopmentSet
from lib.experiment.post_splits import PostSplits
from lib.experiment.validation_sample import weighted_validation_sample
from lib.settings.config import Config
from lib.tasks.examples import Examples, WeightedSample


@dataclass(frozen=True)
class Split:
    """Indices into the examples; no group of posts is in two of the parts.

    Attributes:
        name: Name of the split in result files.
        train: Examples of the training part, (n,).
        validation: Validation split, which is empty for a fold. It has all annotated and all positive examples of
            the part, and a sample of the others.
        held_out: All held-out examples of a fold; None outside cross-validation.
    """

    name: str
    train: NDArray[np.int64]
    validation: WeightedSample
    held_out: WeightedSample | None = None


@dataclass(frozen=True)
class Splits:
    """The splits of one agent's examples; those of the search are kept, since every trial needs the same ones."""

    config: Config
    corpus: DevelopmentSet
    agent: Agent
    examples: Examples
    # Fitting the bag of words of a validation sample takes 0.5 s for 5,644 examples, and 3 s for 205,127.
    _development: dict[int, Split] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def _posts(self) -> PostSplits:
        return PostSplits(self.config, self.corpus.annotations, self.corpus.groups)

    def development(self, number: int) -> Split:
        """Return development split `number` (0 for the first seed), which is the same for every trial.

        Raises:
            UserError: A part has no positive row, because too few groups have any.
        """
        if number not in self._development:
            train, validation = self._parts(self._posts.development_parts(number), 2)
            seed = self._posts.development_seed(number)
            split = Split(f"development-{number}", train, self._sample(validation, train, seed))
            self._development[number] = split
        return self._development[number]

    def development_with_posts(self, number: int) -> Split:
        """Return development split `number`, with all examples of its validation part held out."""
        _, validation = self._parts(self._posts.development_parts(number), 2)
        return replace(self.development(number), held_out=WeightedSample.uniform(validation))

    def fold(self, number: int, k: int) -> Split:
        """Return a fold of repeated k-fold cross-validation. It has no validation part.

        Args:
            number: Number of the fold; 0…k-1 belong to repeat 0, k…2k-1 to repeat 1, and so on.
            k: Folds of a repeat, at least 2.

        Returns:
            Training examples and held-out examples.

        Raises:
            UserError: A part has no positive row, because too few groups have any.
        """
        repeat, fold = divmod(number, k)
        train, held_out = self._parts(self._posts.fold_parts(number, k), 2)
        name = f"fold-{fold + 1}-of-{k}-repeat-{repeat + 1}"
        return Split(name, train, _nothing(), WeightedSample.uniform(held_out))

    def without_validation(self, repetition: int) -> Split:
        """Return a split with all examples in the training part and an empty validation part.

        Args:
            repetition: Number of the training, from 0; each has another name, and so another seed.
        """
        name = "all of development" + (f", training {repetition + 1}" if repetition else "")
        return Split(name, np.arange(len(self.examples)), _nothing())

    def training_parts(self) -> dict[str, NDArray[np.int64]]:
        """Return the training part of every split that the graph trains on, by the split's name."""
        config, posts = self.config, self._posts
        stages, cross = (config.stage_a, config.stage_b), config.stage_c
        parts = {
            f"development-{number}": self._parts(posts.development_parts(number), 1)[0]
            for number in range(max(stage.seeds for stage in stages))
        }
        splits = [self.fold(number, cross.folds) for number in range(cross.folds * cross.repeats)]
        splits += [self.without_validation(repetition) for repetition in range(config.final.seeds)]
        return parts | {split.name: split.train for split in splits}

    def _parts(self, assigned: Mapping[str, int], count: int) -> list[NDArray[np.int64]]:
        """Return the examples of each part, from the part of each post."""
        part = np.array([assigned[post_id] for post_id in self.examples.post_id])
        return [np.flatnonzero(part == number) for number in range(count)]

    def _sample(self, index: NDArray[np.int64], train: NDArray[np.int64], seed: int) -> WeightedSample:
        return weighted_validation_sample(self.agent, self.examples, self.config, index, train, seed)


def _nothing() -> WeightedSample:
    return WeightedSample.uniform(np.array([], dtype=np.int64))
