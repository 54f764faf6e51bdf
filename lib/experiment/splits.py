"""Split an agent's examples for the search (Stages A and B) and for cross-validation (Stage C)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lib.corpus.store import Development
from lib.corpus.stratify import split_folds, split_posts
from lib.files.hashing import derive_seed
from lib.settings.config import Config
from lib.tasks.examples import Examples


@dataclass(frozen=True)
class Split:
    """Indices into the examples; no group of posts is in two of the parts.

    Attributes:
        name: Name of the split in result files.
        train: Examples to train on, (n,).
        validation: Validation split, or the early-stopping split of a fold, (m,).
        held_out: Held-out examples of a fold, (k,); None outside cross-validation.
    """

    name: str
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    held_out: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class Splits:
    """The splits of one agent's examples."""

    config: Config
    corpus: Development
    examples: Examples

    def development(self, number: int) -> Split:
        """Return development split `number` (0 for the first seed), which is the same for every trial."""
        fraction = self.config.training.validation_fraction
        seed = derive_seed(self.config.seed, "development split", number)
        assigned = split_posts(self.corpus.annotations, self.corpus.groups, [1 - fraction, fraction], seed)
        parts = np.array([assigned[post_id] for post_id in self.examples.post_id])
        return Split(f"development-{number}", np.flatnonzero(parts == 0), np.flatnonzero(parts == 1))

    def fold(self, number: int, k: int) -> Split:
        """Return a fold of repeated k-fold cross-validation.

        The best epoch is chosen on an early-stopping split of the training posts, never on the held-out fold.

        Args:
            number: Number of the fold; 0…k-1 belong to repeat 0, k…2k-1 to repeat 1, and so on.
            k: Folds of a repeat, at least 2.

        Returns:
            Training examples, early-stopping examples (as `validation`) and held-out examples.
        """
        repeat, fold = divmod(number, k)
        seed = self.config.seed
        rows, groups = self.corpus.annotations, self.corpus.groups
        of_post = split_folds(rows, groups, k=k, repeat=repeat, seed=seed)
        training = {post_id: group for post_id, group in groups.items() if of_post[post_id] != fold}
        fraction = self.config.training.stopping_fraction
        validation = split_posts(rows, training, [1 - fraction, fraction], derive_seed(seed, "stop", k, number))
        part = np.array([validation.get(post_id, 2) for post_id in self.examples.post_id])
        name = f"fold-{fold + 1}-of-{k}-repeat-{repeat + 1}"
        return Split(name, *(np.flatnonzero(part == value) for value in range(3)))

    def whole(self) -> Split:
        """Return a split with all examples in the training part and an empty validation part."""
        return Split("all of development", np.arange(len(self.examples)), np.array([], dtype=np.int64))
