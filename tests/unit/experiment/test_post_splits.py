"""Corpora with too few groups of posts for the splits are refused."""

import pandas as pd
import pytest
from support.tiny import tiny_settings

from lib.corpus.reader import Corpus
from lib.corpus.store import split_off_test_set
from lib.errors import UserError
from lib.experiment.post_splits import check_groups

CHECK = "check corpus.group, or add such posts by other authors"


def make_corpus(groups: int, positive: int = 40) -> Corpus:
    """Return a corpus of 40 posts by this number of authors, of which the first posts have a positive row."""
    ids = [f"p{i}" for i in range(40)]
    posts = pd.DataFrame({"post_id": ids, "text": ids, "group": [i % groups for i in range(40)]})
    rows = pd.DataFrame(
        {"post_id": ids, "sentence_id": ids, "sentence": ids, "criterion": "A", "status": 0, "start": 0}
    )
    rows.loc[: positive - 1, "status"] = 1
    return Corpus(posts, rows, {"A": "?"})


def problem(corpus: Corpus, folds: int = 2, parts: pd.DataFrame | None = None, excluded: tuple[str, ...] = ()) -> str:
    """Return the line with which a corpus is refused, or '' if it is accepted."""
    config = tiny_settings(stage_c={"folds": folds}, corpus={"excluded_criteria": excluded}).config
    try:
        check_groups(corpus, split_off_test_set(corpus, 0.15, 0) if parts is None else parts, config)
    except UserError as error:
        (line,) = error.lines
        return line
    return ""


@pytest.mark.usefixtures("project")
def test_too_few_groups_are_refused_with_their_numbers() -> None:
    for groups, folds, found, least in ((1, 2, 1, 2), (2, 2, 1, 2), (4, 5, 3, 5), (5, 5, 4, 5)):
        assert problem(make_corpus(groups), folds) == (
            f"corpus: groups of posts in the development set: {found}, with a positive row of a scored criterion:"
            f" {found}; stage_c.folds = {folds} needs at least {least} with such rows; {CHECK}"
        )
    assert problem(make_corpus(6)) == problem(make_corpus(6), folds=5) == problem(make_corpus(40)) == ""


@pytest.mark.usefixtures("project")
def test_too_few_groups_with_positive_rows_are_refused() -> None:
    line = problem(make_corpus(40, positive=2))
    assert line.startswith(
        "corpus: groups of posts in the development set: 33, with a positive row of a scored criterion: 1;"
    )
    assert "with a positive row of a scored criterion: 0;" in problem(make_corpus(40), excluded=("A",))
    lost = make_corpus(40)
    lost.annotations["start"] = -1
    assert "with a positive row of a scored criterion: 0;" in problem(lost), "agents that read posts do not use them"
    corpus = make_corpus(40, positive=12)
    assert problem(corpus) == ""
    parts = pd.DataFrame({"post_id": corpus.posts["post_id"], "part": ["development"] * 39 + ["test"]})
    assert "in the test set: 1, with a positive row of a scored criterion: 0;" in problem(corpus, parts=parts)
