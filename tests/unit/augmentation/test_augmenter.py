"""Augmented examples from a bank that computes its variants here, without a library."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support.made_examples import make_examples
from support.tiny import params

from lib.augmentation.augmenter import AugmentableTexts, AugmentedExamples, Augmenter, augmentation_spans
from lib.augmentation.edits import WHOLE, Edit, apply_edits, diff_edits
from lib.augmentation.methods import METHODS
from lib.augmentation.reserved import TfidfWeights
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples

UNKNOWN = TfidfWeights({})
SENTENCES = ["I am so tired.", "Nothing helps!", "I sleep badly, most nights", "Why me?", "It is fine."]


class Shouting:
    """A bank with one variant, which puts every second word in capitals and "oh" before the first word."""

    number = 1

    def __init__(self, texts: list[str], marks: str = "") -> None:
        self.texts, self.marks = texts, marks

    def shout(self, text: str) -> str:
        words = [word.upper() + self.marks if i % 2 else word for i, word in enumerate(text.split())]
        return " ".join(["oh", *words])

    def variants(self, texts: np.ndarray, strength: float, numbers: np.ndarray) -> list[list[Edit]]:
        asked = [self.texts[text] for text in texts]
        return [diff_edits(text, self.shout(text), WHOLE) for text in asked]


@st.composite
def posts(draw) -> tuple[str, list[tuple[int, int]]]:
    text = draw(st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=6).map(" ".join))
    places = draw(st.lists(st.integers(0, len(text)), max_size=4, unique=True).map(sorted))
    return text, [(a, b) for a, b in zip(places[::2], places[1::2], strict=False) if text[a:b].strip()]


def examples(text: str, answers: list[tuple[int, int]]) -> Examples:
    return make_examples(text, [answers], ["C"])


def hyper(**more: object) -> Hyperparameters:
    return Hyperparameters.of(params(**{"aug.enabled": True, "aug.p_apply": 1.0} | more))


@given(posts())
def test_answer_offsets_follow_the_augmented_text(post: tuple[str, list[tuple[int, int]]]) -> None:
    text, answers = post
    old = examples(text, answers)
    texts = AugmentableTexts(old, whole=False)
    bank = Shouting(texts.unique)
    augmenter = Augmenter(dict.fromkeys(METHODS, bank), texts, hyper(), UNKNOWN, seed=1)
    new = augmenter.epoch(np.array([0]), 1).examples
    for (a, b), (c, d) in zip(answers, new.gold_spans[0], strict=True):
        # Augment the answer alone, piece by piece.
        inside = [
            (start, end) for start, end in augmentation_spans(text, answers, whole=False) if a <= start and end <= b
        ]
        expected, at = "", a
        for start, end in inside:
            expected += text[at:start] + bank.shout(text[start:end])
            at = end
        assert new.text[0][c:d].split() == (expected + text[at:b]).split()
    assert "".join(apply_edits(text, []).split()) == "".join(text.split())


@given(posts())
def test_pieces_cover_all_of_the_text_except_white_space(post: tuple[str, list[tuple[int, int]]]) -> None:
    text, answers = post
    found = augmentation_spans(text, answers, whole=False)
    assert "".join("".join(text[a:b].split()) for a, b in found) == "".join(text.split())
    assert all(a <= start or end <= a for start, end in found for a, _ in answers), "none crosses an answer"
    assert augmentation_spans(" one two ", [], whole=True) == [(1, 8)]


def test_the_same_seed_and_epoch_give_the_same_texts_and_others_do_not() -> None:
    text = "one two three four"
    old = make_examples(text, [[]] * 200, ["x"] * 200)
    banks = {name: Shouting([text], marks=name) for name in METHODS}

    def drawn(seed: int, epoch: int, **more: object):
        augmenter = Augmenter(
            banks, AugmentableTexts(old, whole=True), hyper(**{"aug.p_apply": 0.3} | more), UNKNOWN, seed=seed
        )
        return augmenter.epoch(np.arange(100), epoch)

    first = drawn(1, 1)
    assert first.examples.text == drawn(1, 1).examples.text and first.index.tolist() == drawn(1, 1).index.tolist()
    assert first.index.tolist() != drawn(1, 2).index.tolist() and first.index.tolist() != drawn(2, 1).index.tolist()
    assert 10 < len(first.index) < 50 and first.index.max() < 100, "only of the part to train on"
    assert first.applied.total() == len(first.index)
    assert drawn(1, 1, **{"aug.ops_per_sample": 3}).applied.total() == len(first.index), "one word, one method"


def test_strategies_and_the_guard_decide_which_methods_are_drawn() -> None:
    text = "one two three four"
    old = make_examples(text, [[]] * 50, ["x"] * 50)
    banks = {name: Shouting([text]) for name in METHODS}

    def drawn(weights: TfidfWeights = UNKNOWN, **more: object) -> AugmentedExamples:
        augmenter = Augmenter(banks, AugmentableTexts(old, whole=True), hyper(**more), weights, seed=0)
        return augmenter.epoch(np.arange(50), 1)

    def used(**more: object) -> set[str]:
        return set(drawn(**more).applied)

    assert {METHODS[name].library for name in used(**{"aug.strategy": "textattack"})} == {"textattack"}
    only = {f"aug.weight_{name}": 0.0 for name in METHODS} | {"aug.strategy": "custom"}
    assert used(**only) == set()
    assert used(**only | {"aug.weight_antonym": 0.5}) == {"antonym"}
    guarded = only | {"aug.weight_antonym": 0.5, "aug.antonym_guard": "on_low_weight"}
    assert set(drawn(**guarded).examples.text) == {"oh one two three four"}, "words of unknown weight stay"
    weights = TfidfWeights({"one": 1.0, "two": 1.0, "three": 1.0, "four": 9.0})
    assert set(drawn(weights, **guarded).examples.text) == {"oh one TWO three four"}
