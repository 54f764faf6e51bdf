from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from lib.errors import UserError
from lib.modeling.random_init import build_random_backbone
from lib.modeling.tokens import TokenCache, Tokens, WindowLayout, check_criteria_fit, tokenize
from lib.settings.config import Architecture
from lib.tasks.examples import make_targets

QUESTION = "Is the writer tired?"
ALPHABET = [
    "tired",
    "I",
    "am",
    " ",
    "\t",
    "\n",
    "é",
    "e\u0301",
    "❤️",
    "👩‍⚕️",
    "ß",
    "ﬁ",
    "。",
    "!",
    "…",
    "\u200d",
    "ＡＢ",
]
TEXT = st.lists(st.sampled_from(ALPHABET), min_size=1, max_size=60).map("".join).filter(str.strip)


@pytest.fixture(scope="module", params=get_args(Architecture))
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    folder = tmp_path_factory.mktemp("tokenizer")
    build_random_backbone(request.param, "tiny", [QUESTION, "I am tired . ! … e é ß ❤️"] * 3, folder, seed=1)
    return AutoTokenizer.from_pretrained(folder)


def encode(tokenizer: PreTrainedTokenizerBase, folder: Path, texts: list[str], overlap: float | None) -> Tokens:
    cache = TokenCache(folder, str(type(tokenizer)) + str(tokenizer.sep_token))
    return tokenize(tokenizer, [QUESTION] * len(texts), texts, layout=WindowLayout(48, overlap), cache=cache)


@settings(max_examples=30)  # for each of nine tokenizers
@given(text=TEXT, places=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_spans_are_characters_of_the_text_and_windows_cover_all_of_it(
    tokenizer: PreTrainedTokenizerBase,
    tmp_path_factory: pytest.TempPathFactory,
    text: str,
    places: tuple[float, float],
) -> None:
    tokens = encode(tokenizer, tmp_path_factory.mktemp("cache"), [text], 0.25)
    assert tokens.lengths.max() <= 48 and (tokens.pair == 0).all()
    covered = np.zeros(len(text), dtype=bool)
    for start, end in zip(tokens.start, tokens.end, strict=True):
        if start >= 0:
            assert 0 <= start < end <= len(text)
            assert text[start:end].strip() == text[start:end] != ""
            covered[start:end] = True
    lost = {c for c, is_covered in zip(text, covered, strict=True) if not is_covered and not c.isspace()}
    # A tokenizer's normaliser removes joiners and combining accents, which then have no token.
    assert lost <= {"\u200d", "\u0301", "\ufe0f"}
    # If an answer starts and ends at token borders and cuts no token, some window must give it back exactly,
    known = sorted({(int(s), int(e)) for s, e in zip(tokens.start, tokens.end, strict=True) if s >= 0})
    cut = {place for start, end in known for place in range(start + 1, end)}
    starts, ends = sorted({s for s, _ in known} - cut), sorted({e for _, e in known} - cut)
    if not starts:
        return
    first = starts[min(int(places[0] * len(starts)), len(starts) - 1)]
    later = [end for end in ends if end > first]
    answer = (first, later[min(int(places[1] * len(later)), len(later) - 1)])
    targets = make_targets(tokens, np.array([1]), [[answer]])
    found, held = set(), False
    for window in np.flatnonzero(targets.label.numpy()):
        part = slice(tokens.offsets[window], tokens.offsets[window + 1])
        solid = tokens.start[part] >= 0
        held |= tokens.start[part][solid].min() <= answer[0] and tokens.end[part].max() >= answer[1]
        starts, ends = targets.start[part].numpy(), targets.end[part].numpy()
        found.add((int(tokens.start[part][starts][0]), int(tokens.end[part][ends][-1])))
    # unless it is longer than the overlap and every window cuts it.
    assert answer in found or not held


def test_windows_overlap_and_a_cut_answer_is_not_learnt(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    text = "I am " * 60 + "tired tired tired tired ! " + "I am " * 60
    answer = (300, 325)
    tokens = encode(tokenizer, tmp_path, [text], 0.5)
    shares = []
    for window in range(len(tokens.pair)):
        part = slice(tokens.offsets[window], tokens.offsets[window + 1])
        inside = (tokens.start[part] >= answer[0]) & (tokens.end[part] <= answer[1])
        shares.append((tokens.end[part] - tokens.start[part])[inside].sum() / 20)
    targets = make_targets(tokens, np.array([1]), [[answer]])
    assert targets.label.tolist() == [int(share >= 0.5) for share in shares]
    useful = np.array([share >= 0.5 or share == 0 for share in shares])
    assert targets.weight.tolist() == pytest.approx((useful * len(useful) / useful.sum()).tolist())
    assert 1 <= targets.label.sum() < len(shares)
    none = targets.label == 0
    for window in np.flatnonzero(none):
        part = slice(tokens.offsets[window], tokens.offsets[window + 1])
        assert targets.start[part].sum() == 1 and (targets.start & targets.cls)[part].sum() == 1


def test_a_long_post_counts_as_much_as_a_short_one(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    tokens = encode(tokenizer, tmp_path, ["I am tired ! " * 60, "I am tired !"], 0.25)
    weight = make_targets(tokens, np.array([1, 0]), [[(0, 12)], []]).weight.numpy()
    assert weight.mean() == pytest.approx(1) and (tokens.pair == 0).sum() > 2
    assert weight[tokens.pair == 0].sum() == pytest.approx(weight[tokens.pair == 1].sum())


def test_a_repeated_sentence_is_learnt_where_it_was_annotated(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path
) -> None:
    text = "I am tired ! " * 3
    tokens = encode(tokenizer, tmp_path, [text], 0.25)
    targets = make_targets(tokens, np.array([1]), [[(13, 25)]])
    assert set(tokens.start[targets.start.numpy()]) == {13} and set(tokens.end[targets.end.numpy()]) == {25}


def test_a_long_post_becomes_windows_of_bounded_size(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    tokens = encode(tokenizer, tmp_path, ["I am tired ! " * 1750, "short"], 0.25)
    assert len(tokens.pair) > 100 and tokens.lengths.max() <= 48
    assert tokens.windows(np.array([1])).tolist() == [len(tokens.pair) - 1]
    assert max(tokens.end) == 13 * 1750 - 1
    assert len(encode(tokenizer, tmp_path, ["I am tired ! " * 1750], None).pair) == 1


def test_the_criterion_is_never_truncated(experiment) -> None:
    tokenizer = experiment.builder.backbones.tokenizer("tiny-bert")
    examples = experiment.examples
    limit = 24
    layout, cache = WindowLayout(limit, overlap=None), TokenCache(Path("cache"), "f")
    tokens = tokenize(tokenizer, examples.criterion_text, examples.text, layout=layout, cache=cache)
    assert tokens.lengths.max() == limit
    for i in range(0, len(examples), 7):
        ids = tokens.vocabulary[tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]]].tolist()
        whole = tokenizer(examples.criterion_text[i])["input_ids"]
        assert ids[: len(whole)] == whole
    criteria = experiment.development.criteria
    check_criteria_fit(tokenizer, criteria, 64, "tiny-bert")
    with pytest.raises(UserError, match=r"criterion '.*' needs .* tokens of backbone 'tiny-bert'"):
        check_criteria_fit(tokenizer, criteria, 12, "tiny-bert")


def test_tokens_of_another_version_are_not_reused(
    tokenizer: PreTrainedTokenizerBase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        encode(tokenizer, tmp_path, ["I am tired."], None)
    assert len(list(tmp_path.glob("*.npz"))) == 1
    for known, changed in enumerate(("tokenizers", "transformers"), 2):
        with monkeypatch.context() as patched:
            patched.setattr("lib.modeling.tokens.version", lambda name, changed=changed: str(name == changed))
            encode(tokenizer, tmp_path, ["I am tired."], None)
        assert len(list(tmp_path.glob("*.npz"))) == known
