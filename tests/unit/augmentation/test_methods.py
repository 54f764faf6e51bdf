"""The seventeen methods with the libraries themselves. Loading these takes long, so all is computed once."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT

from lib.augmentation import making
from lib.augmentation.bank import Bank, facts, path
from lib.augmentation.edits import Edit, altered, apply, words
from lib.augmentation.lexicon import Lexicon, check_methods, prepare
from lib.augmentation.libraries import Resources
from lib.augmentation.making import Recipe, build
from lib.augmentation.methods import METHODS, REFUSED, check_method, of_strategy
from lib.augmentation.reserved import Reserved, Weights
from lib.corpus.tfidf import build as build_tfidf
from lib.errors import UserError
from lib.files.documents import now, provenance
from lib.files.reading import read_json
from lib.settings.config import TfidfSettings

TEXTS = [
    "I have not been able to sleep well for the last 3 weeks, and nothing in Boston helps with my depression.",
    "My sertraline makes me tired, really tired, but the panic attacks come less often.",
    "Because of the PHQ-9 my doctor says it's mild; I don't think she understands how bad I feel every day!",
    "Nothing good happened today.",
    "We always walk to the old bridge and talk about things that people never say at work.",
    "Tired.",
]
TERMS = ("depression", "sertraline", "panic attacks", "phq-9", "sleep")
LEVELS = (0.1, 0.4)


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    folder = tmp_path_factory.mktemp("resources")
    given = [Path(place) for place in os.environ.get("NLTK_DATA", "").split(os.pathsep) if place]
    _, missing, _ = prepare(folder / "lexicon", given)
    assert not missing
    build_tfidf(TEXTS, TfidfSettings(), cache=folder / "cache", folder=folder / "tfidf")
    groups = (("really", "very"), ("always", "all the time"), ("don't", "do not"), ("every day", "daily"))
    return Resources(folder / "lexicon", folder / "tfidf", groups)


def make_all(texts: list[str], resources: Resources, cache: Path, processes: int) -> dict[str, Bank]:
    recipes = {name: Recipe(name, LEVELS, 2, TERMS, resources) for name in METHODS}
    build(texts, recipes, cache, processes)
    return {name: Bank(path(cache, name), LEVELS, 2) for name in METHODS}


@pytest.fixture(scope="module")
def made(resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Bank], Path]:
    cache = tmp_path_factory.mktemp("bank")
    return make_all(TEXTS, resources, cache, 1), cache


def variants(bank: Bank, level: float, texts: list[str]) -> list[tuple[str, str]]:
    rows, numbers = np.repeat(np.arange(len(texts)), 2), np.tile([0, 1], len(texts))
    edits = bank.variants(rows, level, numbers, only_low=False)
    return [(texts[row], apply(texts[row], of_row)) for row, of_row in zip(rows, edits, strict=True)]


@pytest.mark.parametrize("method", METHODS)
def test_a_method_changes_texts_within_its_strength_and_leaves_terms_alone(made, method: str) -> None:
    banks_of, cache = made
    counts = read_json(facts(cache, method))
    assert counts["errors"] == {} and counts["changed"] + counts["unchanged"] == len(TEXTS) * len(LEVELS) * 2
    changed = 0
    for level in LEVELS:
        for text, new in variants(banks_of[method], level, TEXTS):
            changed += new != text
            assert words(new), "never empty"
            assert altered(text, new) <= max(2, int(np.ceil(level * len(words(text))))), "a swap has two"
            for term in TERMS:
                assert len(Reserved([term]).spans(new)) >= len(Reserved([term]).spans(text)), (term, new)
    assert changed >= 4, "it does what it is for"


def test_the_same_texts_give_the_same_variants_whatever_the_processes(made, resources, tmp_path: Path) -> None:
    before, _ = made
    again = make_all(TEXTS[::-1], resources, tmp_path, 2)
    for method, bank in again.items():
        for level in LEVELS:
            expected = dict.fromkeys(variants(before[method], level, TEXTS))
            assert set(variants(bank, level, TEXTS[::-1])) == set(expected), method


def test_what_is_in_the_cache_is_not_made_again(made, resources) -> None:
    _, cache = made
    build(TEXTS, {name: Recipe(name, LEVELS, 2, TERMS, Resources(Path("nowhere"))) for name in METHODS}, cache, 1)


def test_an_error_of_a_library_is_counted_by_kind_without_its_text(monkeypatch, resources) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(text)

    monkeypatch.setattr(making, "make", lambda *_: fail)
    (variant,) = making.variants(["my secret"], Recipe("ocr", (0.1,), 1, (), resources))
    assert variant.error == "RuntimeError" and variant.edits == []


def test_low_weight_is_at_most_the_median_of_the_texts_words() -> None:
    weights = Weights({"the": 1.0, "rain": 3.0, "never": 2.0, "ends": 4.0})
    text = "The rain never ends, unheard"
    edits = [Edit(0, start, end, "x") for start, end in ((0, 3), (4, 8), (9, 14), (15, 20), (21, 28))]
    assert weights.low(text, edits) == [True, False, True, False, False], "median 2.5; the unknown is not low"
    assert weights.low("The the the rain", [Edit(0, 0, 3, "x")]) == [True], "three times 1.0 ties with rain"
    assert weights.low("unheard", [Edit(0, 0, 7, "x")]) == [False]


def test_checklist_changes_names_and_places_where_there_is_a_tagger(resources: Resources, tmp_path: Path) -> None:
    script = Path(__file__).with_name("checklist_with_tagger.py")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(script), str(resources.lexicon), str(tmp_path / "tagger.pt")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|")[1] for line in done.stdout.splitlines() if line.startswith("None|")]
    assert len(lines) == 6 and all("moved to" in line and line.endswith("and stayed") for line in lines)
    assert any("John" not in line for line in lines) and any("Boston" not in line for line in lines)


def test_heavy_methods_are_refused_by_name_and_unknown_ones_with_the_nearest() -> None:
    for name in REFUSED:
        with pytest.raises(UserError, match=f"method '{name}' is refused: .* \\(known: keyboard, "):
            check_method(name)
    with pytest.raises(UserError, match="did you mean 'keyboard'"):
        check_method("keybord")
    assert len(of_strategy("nlpaug")) == 10 and len(of_strategy("textattack")) == 7 and len(of_strategy("all")) == 17


def test_what_no_source_has_is_named_with_the_methods_that_need_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._wordnet", lambda _: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._tagger", lambda _: None)
    sources, missing, fingerprint = prepare(tmp_path / "lexicon", [tmp_path / "nowhere"])
    assert missing == ["wordnet", "tagger"] and sources == {"stopwords": "packages of Debian, PyPI and scikit-learn"}
    made = provenance(config_hash="", corpus_hash="", seed=0, device="cpu", started=now())
    lexicon = Lexicon(provenance=made, sources=sources, missing=missing, fingerprint=fingerprint)
    check_methods(lexicon, ["ocr", "deletion"])
    with pytest.raises(UserError) as caught:
        check_methods(lexicon, ["antonym", "wordnet"])
    assert "'antonym' needs wordnet, tagger, which no source had; set augmentation.lexicon" in caught.value.lines[0]
    assert "'wordnet' needs wordnet, which" in caught.value.lines[1]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no Debian packages here")
def test_lexical_data_come_from_packages_where_there_is_nothing_else(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    sources, missing, fingerprint = prepare(tmp_path / "lexicon", [])
    assert missing == [] and set(sources.values()) == {"packages of Debian, PyPI and scikit-learn"}
    assert prepare(tmp_path / "again", [tmp_path / "lexicon"])[2] == fingerprint
