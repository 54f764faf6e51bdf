import numpy as np
import pytest

from lib.corpus.groups import group_posts, near_duplicates

WORDS = [f"word{i}" for i in range(500)]


def text(seed: int, n: int = 80) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, n))


def test_reposts_and_edited_reposts_are_near_duplicates() -> None:
    original = text(0)
    edited = original.replace(original.split()[40], "changed").upper()
    texts = [original, text(1), "  " + original.replace(" ", "\n"), edited, "Hi.", "hi.", "Ho."]
    assert list(near_duplicates(texts, 0.8)) == [(0, 2), (0, 3), (2, 3), (4, 5)]
    assert (0, 3) not in list(near_duplicates(texts, 1.0)) and (0, 2) in list(near_duplicates(texts, 1.0))


@pytest.mark.parametrize("words", [28, 29])
def test_a_short_post_does_not_join_its_copy_with_another_word(words: int) -> None:
    """As config/README.md says: the copy lacks three sequences of words and has three others."""
    post = WORDS[:words]
    edited = [*post[:14], "changed", *post[15:]]
    assert bool(list(near_duplicates([" ".join(post), " ".join(edited)], 0.8))) == (words == 29)


def test_punctuation_makes_no_other_post() -> None:
    texts = ["I can't sleep, and I can't eat: help", "I can’t sleep and... I can’t eat!! help", ":(", ":)"]
    assert list(near_duplicates(texts, 1.0)) == [(0, 1)]


def test_different_posts_are_not_near_duplicates() -> None:
    assert not list(near_duplicates([text(seed) for seed in range(60)], 0.5))


@pytest.mark.parametrize(("least", "moved"), [(0.5, 30), (0.8, 10)])
def test_nearly_all_pairs_at_the_limit_are_found(least: float, moved: int) -> None:
    """Both texts have 90 sequences of three words, of which they share 80 of 100 (or 60 of 120)."""
    words = [f"{pair}x{i}" for pair in range(100) for i in range(92 + moved)]
    texts = [" ".join(words[i : i + 92]) for at in range(0, len(words), 92 + moved) for i in (at, at + moved)]
    found = list(near_duplicates(texts, least))
    assert all(second == first + 1 and first % 2 == 0 for first, second in found)
    assert len(found) >= 98


@pytest.mark.parametrize("least", [0.5, 0.8])
def test_authors_and_near_duplicates_join_in_one_group(least: float) -> None:
    posts = {"a": text(0), "b": text(1), "c": text(0), "d": text(2)}
    groups, alike = group_posts(posts, {"a": "ann", "b": "ann"}, least)
    assert groups == {"a": 0, "b": 0, "c": 0, "d": 1} and alike == {"a", "c"}
    assert group_posts(posts, {}, least)[0] == {"a": 0, "b": 1, "c": 0, "d": 2}
