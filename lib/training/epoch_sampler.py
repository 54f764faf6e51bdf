"""Draw the examples of each epoch. Annotated and positive ones are always in it; unannotated negatives change."""

from dataclasses import dataclass

import numpy as np

from lib.files.hashing import derive_seed
from lib.tasks.examples import Examples
from lib.tasks.task import Index


@dataclass(frozen=True)
class EpochSampler:
    """The examples of each epoch of one training.

    Attributes:
        always_included: (n,) the annotated and the positive examples, which are in every epoch.
        unannotated: (m,) the unannotated negatives to draw from.
        per_epoch: The number of unannotated examples in an epoch, at most m.
        seed: Seed of the draws.
    """

    always_included: Index
    unannotated: Index
    per_epoch: int
    seed: int

    @classmethod
    def of(cls, examples: Examples, train: Index, rate: float, seed: int) -> "EpochSampler":
        """Return the sampler of the examples of a training part.

        Args:
            examples: All examples.
            train: (n,) the examples of the training part.
            rate: Number of unannotated examples in an epoch, per annotated one.
            seed: Seed of the draws.

        Returns:
            The sampler, from which every epoch takes its examples.
        """
        annotated = examples.annotated[train]
        certain = annotated | (examples.label[train] == 1)
        pool = train[~certain]
        wanted = min(float(len(pool)), rate * int(annotated.sum())) if len(pool) else 0.0
        return cls(train[certain], pool, round(wanted), seed)

    def draw_unannotated(self, epoch: int) -> Index:
        """Return the unannotated examples of an epoch, which is counted from 1.

        Epochs take consecutive parts of a random order, so none is drawn twice before all have been drawn once.
        """
        places = np.arange((epoch - 1) * self.per_epoch, epoch * self.per_epoch)
        if not len(places):
            return self.unannotated[:0]
        rounds, place = np.divmod(places, len(self.unannotated))
        return np.concatenate([self._order(number)[place[rounds == number]] for number in np.unique(rounds)])

    def epoch(self, epoch: int) -> Index:
        """Return all examples of an epoch, which is counted from 1."""
        return np.concatenate([self.always_included, self.draw_unannotated(epoch)])

    def _order(self, number: int) -> Index:
        return np.random.default_rng(derive_seed(self.seed, "unannotated", int(number))).permutation(self.unannotated)
