"""The seventeen methods with the real libraries. Loading these takes long, so the bank is computed once."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support import MakeOnce
from support.checkouts import ROOT

from lib.augmentation import build_bank
from lib.augmentation.bank import MethodVariants, counts_path, variants_path
from lib.augmentation.build_bank import MethodConfig, write_missing_variants
from lib.augmentation.edits import apply_edits, count_altered_words, words
from lib.augmentation.lexicon import prepare_lexicon
from lib.augmentation.libraries import LexicalResources
from lib.augmentation.methods import METHODS
from lib.augmentation.reserved import ReservedTerms
from lib.corpus.negators import negators
from lib.corpus.tfidf import build_tfidf
from lib.files.json_files import read_json
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
STRENGTHS = (0.1, 0.4)


@pytest.fixture(scope="session")
def resources(make_once: MakeOnce) -> LexicalResources:
    def make(folder: Path) -> None:
        given = [Path(source) for source in os.environ.get("NLTK_DATA", "").split(os.pathsep) if source]
        _, missing, _ = prepare_lexicon(folder / "lexicon", given)
        assert not missing
        build_tfidf(TEXTS, TfidfSettings(), cache=folder / "cache", folder=folder / "tfidf")

    folder = make_once("augmentation", make)
    groups = (("really", "very"), ("always", "all the time"), ("every day", "daily"))
    return LexicalResources(folder / "lexicon", folder / "tfidf", groups)


def make_all(texts: list[str], resources: LexicalResources, cache: Path, processes: int) -> None:
    configs = {name: MethodConfig(name, STRENGTHS, 2, TERMS, resources) for name in METHODS}
    write_missing_variants(texts, configs, cache, processes)


def banks(cache: Path) -> dict[str, MethodVariants]:
    return {name: MethodVariants(variants_path(cache, name), STRENGTHS, 2) for name in METHODS}


@pytest.fixture(scope="session")
def made(resources: LexicalResources, make_once: MakeOnce) -> tuple[dict[str, MethodVariants], Path]:
    cache = make_once("bank", lambda folder: make_all(TEXTS, resources, folder, 1))
    return banks(cache), cache


def variants(bank: MethodVariants, strength: float, texts: list[str]) -> list[tuple[str, str]]:
    rows, numbers = np.repeat(np.arange(len(texts)), 2), np.tile([0, 1], len(texts))
    edits = bank.variants(rows, strength, numbers)
    return [(texts[row], apply_edits(texts[row], of_row)) for row, of_row in zip(rows, edits, strict=True)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.slow
def test_a_method_changes_texts_within_its_strength_and_keeps_reserved_terms(made, method: str) -> None:
    banks_of, cache = made
    counts = read_json(counts_path(cache, method))
    assert counts["errors"] == {} and counts["changed"] + counts["unchanged"] == len(TEXTS) * len(STRENGTHS) * 2
    changed = 0
    for strength in STRENGTHS:
        for text, new in variants(banks_of[method], strength, TEXTS):
            changed += new != text
            assert words(new), "never empty"
            assert count_altered_words(text, new) <= max(2, int(np.ceil(strength * len(words(text))))), (
                "a swap has two"
            )
            for term in TERMS:
                assert len(ReservedTerms([term]).spans(new)) >= len(ReservedTerms([term]).spans(text)), (term, new)
            kept, given = ([t[a:b] for a, b in negators(t)] for t in (new, text))
            assert kept == given, new
    assert changed >= 4, "it does what it is for"


@pytest.mark.slow
def test_the_same_texts_give_the_same_variants_with_any_number_of_processes(made, resources, tmp_path: Path) -> None:
    before, _ = made
    make_all(TEXTS[::-1], resources, tmp_path, 2)
    for method, bank in banks(tmp_path).items():
        for strength in STRENGTHS:
            expected = dict.fromkeys(variants(before[method], strength, TEXTS))
            assert set(variants(bank, strength, TEXTS[::-1])) == set(expected), method


def test_cached_variants_are_not_computed_again(made, resources) -> None:
    _, cache = made
    write_missing_variants(
        TEXTS,
        {name: MethodConfig(name, STRENGTHS, 2, TERMS, LexicalResources(Path("nowhere"))) for name in METHODS},
        cache,
        1,
    )


def test_an_error_of_a_library_is_counted_by_kind_without_its_text(monkeypatch, resources) -> None:
    def fail(text: str) -> str:
        raise RuntimeError(text)

    monkeypatch.setattr(build_bank, "make_augmenter", lambda *_: fail)
    (variant,) = build_bank.compute_variants(["my secret"], MethodConfig("ocr", (0.1,), 1, (), resources))
    assert variant.error == "RuntimeError" and variant.edits == []


@pytest.mark.slow
def test_checklist_changes_names_and_places_where_there_is_a_tagger(
    resources: LexicalResources, tmp_path: Path
) -> None:
    script = ROOT / "tests/support/checklist_with_tagger.py"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0"}
    command = [sys.executable, str(script), str(resources.lexicon), str(tmp_path / "tagger.pt")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.split("|")[1] for line in done.stdout.splitlines() if line.startswith("None|")]
    assert len(lines) == 6 and all("moved to" in line and line.endswith("and stayed") for line in lines)
    assert any("John" not in line for line in lines) and any("Boston" not in line for line in lines)
