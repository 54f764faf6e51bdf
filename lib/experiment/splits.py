"""Split an agent's examples for the search (Stages A and B) and for cross-validation (Stage C)."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lib.agents.agent import Agent
from lib.corpus.store import Development
from lib.experiment.bag_of_words import BagOfWords
from lib.experiment.post_splits import PostSplits
from lib.experiment.unequal_sampling import draw_unequally, inclusion_probabilities
from lib.files.hashing import derive_seed
from lib.settings.config import Config
from lib.tasks.examples import Examples, Sample
from lib.training.draws import EpochDraws

# The bag of words that directs the sample of a validation part: unannotated pairs per annotated one, and its C.
_LEARNED, _STRENGTH = 5.0, 10.0


@dataclass(frozen=True)
class Split:
    """Indices into the examples; no group of posts is in two of the parts.

    Attributes:
        name: Name of the split in result files.
        train: Examples of the training part, (n,).
        validation: Validation split, or the early-stopping split of a fold. It has all annotated and all positive
            examples of the part, and a sample of the others.
        held_out: All held-out examples of a fold; None outside cross-validation.
    """

    name: str
    train: NDArray[np.int64]
    validation: Sample
    held_out: Sample | None = None


@dataclass(frozen=True)
class Splits:
    """The splits of one agent's examples."""

    config: Config
    corpus: Development
    agent: Agent
    examples: Examples

    @property
    def _posts(self) -> PostSplits:
        return PostSplits(self.config, self.corpus.annotations, self.corpus.groups)

    def development(self, number: int) -> Split:
        """Return development split `number` (0 for the first seed), which is the same for every trial.

        Raises:
            UserError: A part has no annotated post, because too few groups have any.
        """
        assigned, seed = self._posts.development(number), self._posts.seed_of_development(number)
        parts = np.array([assigned[post_id] for post_id in self.examples.post_id])
        train, validation = np.flatnonzero(parts == 0), np.flatnonzero(parts == 1)
        return Split(f"development-{number}", train, self.sample(validation, train, seed))

    def development_with_posts(self, number: int) -> Split:
        """Return development split `number`, with all examples of its validation part held out."""
        split = self.development(number)
        posts = {self.examples.post_id[i] for i in split.validation.index}
        whole = np.flatnonzero([post_id in posts for post_id in self.examples.post_id])
        return replace(split, held_out=Sample.whole(whole))

    def fold(self, number: int, k: int) -> Split:
        """Return a fold of repeated k-fold cross-validation.

        The best epoch is chosen on an early-stopping split of the training posts, never on the held-out fold.

        Args:
            number: Number of the fold; 0…k-1 belong to repeat 0, k…2k-1 to repeat 1, and so on.
            k: Folds of a repeat, at least 2.

        Returns:
            Training examples, early-stopping examples (as `validation`) and held-out examples.

        Raises:
            UserError: A part has no annotated post, because too few groups have any.
        """
        repeat, fold = divmod(number, k)
        assigned, seed = self._posts.fold(number, k), self._posts.seed_of_stop(number, k)
        part = np.array([assigned[post_id] for post_id in self.examples.post_id])
        name = f"fold-{fold + 1}-of-{k}-repeat-{repeat + 1}"
        train, stopping, held_out = (np.flatnonzero(part == value) for value in range(3))
        return Split(name, train, self.sample(stopping, train, seed), Sample.whole(held_out))

    def whole(self) -> Split:
        """Return a split with all examples in the training part and an empty validation part."""
        none = Sample.whole(np.array([], dtype=np.int64))
        return Split("all of development", np.arange(len(self.examples)), none)

    def sample(self, index: NDArray[np.int64], train: NDArray[np.int64], seed: int) -> Sample:
        """Return all annotated and all positive examples of a part, and a weighted sample of the others.

        Examples that a bag of words takes for positives are drawn more often, because most of a model's false
        positives are among them. At the same size the F1 of such a sample is nearer to that of the whole part.

        Args:
            index: The examples of the part.
            train: The examples of the training part. The sample grows with its annotated ones, because the time to
                score an epoch should stay small against the time to train it. The bag of words learns from them.
            seed: Seed of the draws.

        Returns:
            The sample. It is the whole part if this has no more of the other examples than are wanted.
        """
        certain = self.examples.annotated[index] | (self.examples.label[index] == 1)
        others = index[~certain]
        wanted = round(self.config.training.evaluated_unannotated * int(self.examples.annotated[train].sum()))
        if wanted >= len(others):
            return Sample.whole(index)
        rng = np.random.default_rng(derive_seed(seed, "sample of the unannotated"))
        chance = inclusion_probabilities(self._yes_probability(others, train, seed), wanted)
        drawn = draw_unequally(chance, rng)
        weight = np.append(np.ones(int(certain.sum())), 1 / chance[drawn])
        return Sample(np.append(index[certain], others[drawn]), weight)

    def _yes_probability(self, index: NDArray[np.int64], train: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
        """Return the probability of yes that a bag of words of the training part gives to some examples."""
        learned = EpochDraws.of(self.examples, train, _LEARNED, seed).epoch(1)
        model = BagOfWords(self.agent, self.config.tfidf)
        if len(np.unique(self.examples.label[learned])) < 2:
            return np.full(len(index), 0.5)
        logits = model.fit(self.examples, learned, strength=_STRENGTH).logits(self.examples, index)
        task = self.agent.tasks[0]
        return np.asarray(expit(task.log_odds(logits[task.name], 1.0)))
