"""The lexical resources that the methods need, and the error if one is missing."""

import os
import shutil
from pathlib import Path

import pytest
from support.tiny import empty_provenance

from lib.augmentation.bank import Bank, variants_path
from lib.augmentation.build_bank import MethodConfig, compute_variants
from lib.augmentation.lexicon import Lexicon, check_methods, prepare
from lib.augmentation.libraries import Resources
from lib.augmentation.methods import METHODS
from lib.corpus.tfidf import build_tfidf
from lib.errors import UserError
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
    given = [Path(source) for source in os.environ.get("NLTK_DATA", "").split(os.pathsep) if source]
    _, missing, _ = prepare(folder / "lexicon", given)
    assert not missing
    build_tfidf(TEXTS, TfidfSettings(), cache=folder / "cache", folder=folder / "tfidf")
    groups = (("really", "very"), ("always", "all the time"), ("don't", "do not"), ("every day", "daily"))
    return Resources(folder / "lexicon", folder / "tfidf", groups)


def make_all(texts: list[str], resources: Resources, cache: Path, processes: int) -> dict[str, Bank]:
    configs = {name: MethodConfig(name, LEVELS, 2, TERMS, resources) for name in METHODS}
    compute_variants(texts, configs, cache, processes)
    return {name: Bank(variants_path(cache, name), LEVELS, 2) for name in METHODS}


@pytest.fixture(scope="module")
def made(resources: Resources, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Bank], Path]:
    cache = tmp_path_factory.mktemp("bank")
    return make_all(TEXTS, resources, cache, 1), cache


def test_a_missing_resource_is_named_with_the_methods_that_need_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._wordnet", lambda _: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._tagger", lambda _: None)
    sources, missing, fingerprint = prepare(tmp_path / "lexicon", [tmp_path / "nowhere"])
    assert missing == ["wordnet", "tagger"] and sources == {"stopwords": "packages of Debian, PyPI and scikit-learn"}
    made = empty_provenance()
    lexicon = Lexicon(provenance=made, sources=sources, missing=missing, fingerprint=fingerprint)
    check_methods(lexicon, ["ocr", "deletion"])
    with pytest.raises(UserError) as caught:
        check_methods(lexicon, ["antonym", "wordnet"])
    assert "'antonym' needs wordnet, tagger, which no source had; set augmentation.lexicon" in caught.value.lines[0]
    assert "'wordnet' needs wordnet, which" in caught.value.lines[1]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no Debian packages here")
@pytest.mark.slow
def test_lexical_data_come_from_packages_as_a_last_resort(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    sources, missing, fingerprint = prepare(tmp_path / "lexicon", [])
    assert missing == [] and set(sources.values()) == {"packages of Debian, PyPI and scikit-learn"}
    assert prepare(tmp_path / "again", [tmp_path / "lexicon"])[2] == fingerprint
