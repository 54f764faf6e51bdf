"""What surrounds the libraries' calls leaves nothing behind in the process."""

import os
import random
import warnings
from pathlib import Path

import nltk
import numpy as np
import pytest

from lib.augmentation.libraries import environment_variables, local_data, seeded_generators


def test_local_data_is_set_within_the_block_only(tmp_path: Path) -> None:
    before = list(nltk.data.path), nltk.download, dict(os.environ), list(warnings.filters)
    with pytest.raises(ZeroDivisionError), local_data(tmp_path / "lexicon"):
        assert nltk.data.path == [str(tmp_path / "lexicon")] and nltk.download("wordnet")
        assert Path(os.environ["TA_CACHE_DIR"]).is_dir()
        assert os.environ["FLAIR_CACHE_ROOT"].startswith(os.environ["TA_CACHE_DIR"])
        raise ZeroDivisionError
    assert (list(nltk.data.path), nltk.download, dict(os.environ), list(warnings.filters)) == before


def test_an_environment_variable_gets_its_earlier_value_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "1")
    monkeypatch.delenv("B", raising=False)
    with environment_variables(A="2", B="3"):
        assert os.environ["A"] == "2" and os.environ["B"] == "3"
    assert os.environ["A"] == "1" and "B" not in os.environ


def test_generators_are_seeded_within_the_block_only() -> None:
    def draws() -> tuple[float, float]:
        return random.random(), float(np.random.random())

    random.seed(1)
    np.random.seed(1)
    expected = [draws(), draws()]
    random.seed(1)
    np.random.seed(1)
    first = draws()
    with seeded_generators(2**40):
        seeded = draws()
    with seeded_generators(2**40):
        assert draws() == seeded
    assert [first, draws()] == expected
