"""The baseline that is a bag of words."""

from dataclasses import replace

import numpy as np
from support.planted import corpus
from threadpoolctl import threadpool_limits

from lib.agents import get_agent
from lib.experiment.bag_of_words import BagOfWords
from lib.settings.config import TfidfSettings


def test_a_short_answer_makes_its_sentence_evidence() -> None:
    """Each answer is one word, far less than half of its sentence."""
    agent, development = get_agent("evidence"), corpus(30)
    whole = agent.examples(development)
    words = [[(end - 7, end - 2) for _, end in spans] for spans in whole.gold_spans]
    examples, index = replace(whole, gold_spans=words), np.arange(len(whole))
    odds, expected = (
        agent.tasks[0].log_odds(BagOfWords(agent, TfidfSettings()).fit(each, index).logits(each, index)["span"])
        for each in (examples, whole)
    )
    assert np.allclose(odds, expected) and np.ptp(odds) > 1


def test_examples_of_one_class_give_constant_log_odds() -> None:
    agent = get_agent("criteria")
    whole = agent.examples(corpus(10))
    for label in (0, 1):
        index = np.flatnonzero(whole.label == label)
        odds = BagOfWords(agent, TfidfSettings()).fit(whole, index).logits(whole, np.arange(len(whole)))["label"]
        assert np.ptp(odds) == 0 and (odds > 5).all() == bool(label) and np.isfinite(odds).all()


def test_log_odds_do_not_depend_on_the_threads_of_the_linear_algebra_library() -> None:
    """OpenBLAS splits vectors of more than 10,000 numbers between its threads, which changes the order of sums."""
    agent, rng = get_agent("criteria"), np.random.default_rng(0)
    whole = agent.examples(corpus(60))
    words = rng.integers(0, 20_000, (len(whole), 60))
    texts = [" ".join(f"w{word}" for word in row) for row in words]
    examples, index = replace(whole, text=texts), np.arange(len(whole))
    odds = []
    for threads in (1, 2):
        with threadpool_limits(threads, "blas"):
            model = BagOfWords(agent, TfidfSettings()).fit(examples, index)
            odds.append(model.logits(examples, index)["label"])
    assert np.array_equal(*odds)
