"""Test how scores are written as text."""

import pytest

from lib.schemas.evaluation import (
    BAG_OF_WORDS,
    DEFAULT,
    MAJORITY,
    ModelScores,
    PairedComparison,
    TestEvaluation,
    format_interval,
    format_p,
)


@pytest.mark.parametrize(("p", "text"), [(0.0127, "0.013"), (0.001, "0.001"), (0.00025, "< 0.001"), (1.0, "1.000")])
def test_a_p_value_is_never_written_as_zero(p: float, text: str) -> None:
    assert format_p(p) == text


def test_an_interval_follows_its_score() -> None:
    assert format_interval({"value": 0.7123, "low": 0.69, "high": 0.7333}) == "0.712 [0.690, 0.733]"


@pytest.mark.parametrize("averages", [[], ["average of the best 2"]])
def test_the_strongest_baseline_is_one_of_the_three(averages: list[str]) -> None:
    f1 = {"chosen": 0.8, "average of the best 2": 0.9, DEFAULT: 0.7, BAG_OF_WORDS: 0.5, MAJORITY: 0.0}
    models = [
        ModelScores.model_construct(name=name, f1_macro={"value": f1[name]})
        for name in ("chosen", *averages, DEFAULT, BAG_OF_WORDS, MAJORITY)
    ]
    against = [PairedComparison.model_construct(other=model.name) for model in models[1:]]
    best, comparison = TestEvaluation.model_construct(models=models, against=against).strongest()
    assert best.name == comparison.other == DEFAULT
