"""The baseline that is a bag of words."""

from dataclasses import replace

import numpy as np
from support.planted import corpus

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
        agent.tasks[0].log_odds_at(BagOfWords(agent, TfidfSettings()).fit(each, index).logits(each, index)["span"])(
            1.0
        )
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
