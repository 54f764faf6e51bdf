"""Words with a low TF-IDF weight."""

from lib.augmentation.edits import Edit
from lib.augmentation.reserved import TfidfWeights


def test_low_weight_is_at_most_the_median_of_the_texts_words() -> None:
    weights = TfidfWeights({"the": 1.0, "rain": 3.0, "never": 2.0, "ends": 4.0})
    text = "The rain never ends, unheard"
    edits = [Edit(0, start, end, "x") for start, end in ((0, 3), (4, 8), (9, 14), (15, 20), (21, 28))]
    assert weights.is_low(text, edits) == [True, False, True, False, False], "median 2.5; the unknown is not low"
    assert weights.is_low("The the the rain", [Edit(0, 0, 3, "x")]) == [True], "three times 1.0 ties with rain"
    assert weights.is_low("unheard", [Edit(0, 0, 7, "x")]) == [False]
