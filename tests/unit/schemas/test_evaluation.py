"""Read the documents of an evaluation."""

import pytest

from lib.schemas.evaluation import (
    BAG_OF_WORDS,
    DEFAULT,
    MAJORITY,
    ModelScores,
    PairedComparison,
    TestEvaluation,
)


@pytest.mark.parametrize("averages", [[], ["ensemble"]])
def test_the_strongest_baseline_is_one_of_the_three(averages: list[str]) -> None:
    f1 = {"chosen": 0.8, "ensemble": 0.9, DEFAULT: 0.7, BAG_OF_WORDS: 0.5, MAJORITY: 0.0}
    models = [
        ModelScores.model_construct(name=name, f1_macro={"value": f1[name]})
        for name in ("chosen", *averages, DEFAULT, BAG_OF_WORDS, MAJORITY)
    ]
    against = [PairedComparison.model_construct(other=model.name) for model in models[1:]]
    best, comparison = TestEvaluation.model_construct(models=models, against=against).strongest()
    assert best.name == comparison.other == DEFAULT
