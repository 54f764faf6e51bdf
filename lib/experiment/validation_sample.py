"""Draw the examples of a validation part that are scored after each epoch."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from lib.agents.agent import Agent
from lib.experiment.bag_of_words import BagOfWords
from lib.experiment.unequal_sampling import inclusion_probabilities, systematic_sample
from lib.files.hashing import derive_seed
from lib.settings.config import Config
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.task import Index
from lib.training.epoch_sampler import EpochSampler

# Unannotated pairs per annotated one, and C, of the bag of words that directs the sample.
_LEARNED, _STRENGTH = 5.0, 10.0


def weighted_validation_sample(
    agent: Agent, examples: Examples, config: Config, index: Index, train: Index, seed: int
) -> WeightedSample:
    """Return all annotated and all positive examples of a part, and a weighted sample of the others.

    Examples that a bag of words takes for positives are drawn more often, because most of a model's false positives
    are among them. At the same size the F1 of such a sample is nearer to that of the whole part.

    Args:
        agent: The agent whose examples they are.
        examples: All examples.
        config: Gives the size of the sample, and the terms of the bag of words.
        index: The examples of the part.
        train: The examples of the training part. The sample grows with its annotated ones, because the time to score
            an epoch should stay small against the time to train it. The bag of words learns from them.
        seed: Seed of the draws.

    Returns:
        The sample. It is the whole part if this has no more of the other examples than are wanted.
    """
    certain = examples.annotated[index] | (examples.label[index] == 1)
    others = index[~certain]
    wanted = round(config.training.evaluated_unannotated * int(examples.annotated[train].sum()))
    if wanted >= len(others):
        return WeightedSample.uniform(index)
    learned = EpochSampler.of(examples, train, _LEARNED, seed).epoch(1)
    rng = np.random.default_rng(derive_seed(seed, "sample of the unannotated"))
    chance = inclusion_probabilities(_yes_probability(agent, examples, config, learned, others), wanted)
    drawn = systematic_sample(chance, rng)
    weight = np.append(np.ones(int(certain.sum())), 1 / chance[drawn])
    return WeightedSample(np.append(index[certain], others[drawn]), weight)


def _yes_probability(
    agent: Agent, examples: Examples, config: Config, learned: Index, index: Index
) -> NDArray[np.float64]:
    """Return the probability of yes that a bag of words, fitted on some examples, gives to others."""
    if len(np.unique(examples.label[learned])) < 2:
        return np.full(len(index), 0.5)
    model = BagOfWords(agent, config.tfidf).fit(examples, learned, strength=_STRENGTH)
    logits = model.logits(examples, index)
    task = agent.tasks[0]
    return np.asarray(expit(task.log_odds(logits[task.name])))
