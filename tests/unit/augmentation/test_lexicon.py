"""The lexical resources that the methods need, and the error if one is missing."""

import shutil
from pathlib import Path

import pytest
from support.tiny import empty_provenance

from lib.augmentation.lexicon import check_lexical_data, prepare_lexicon
from lib.errors import UserError
from lib.schemas.augmentation import Lexicon


def test_a_missing_resource_is_named_with_the_methods_that_need_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._wordnet", lambda _: (_ for _ in ()).throw(OSError))
    monkeypatch.setattr("lib.augmentation.lexicon._tagger", lambda _: None)
    sources, missing, fingerprint = prepare_lexicon(tmp_path / "lexicon", [tmp_path / "nowhere"])
    assert missing == ["wordnet", "tagger"] and sources == {"stopwords": "packages of Debian, PyPI and scikit-learn"}
    made = empty_provenance()
    lexicon = Lexicon(provenance=made, sources=sources, missing=missing, fingerprint=fingerprint)
    check_lexical_data(lexicon, ["ocr", "deletion"])
    with pytest.raises(UserError) as caught:
        check_lexical_data(lexicon, ["antonym", "wordnet"])
    antonym, wordnet = caught.value.lines
    assert "'antonym' needs data that no source has (wordnet, tagger); set augmentation.lexicon" in antonym
    assert "'wordnet' needs data that no source has (wordnet); set" in wordnet


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="no Debian packages here")
@pytest.mark.slow
def test_lexical_data_come_from_packages_as_a_last_resort(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.augmentation.lexicon._download", lambda *_: (_ for _ in ()).throw(OSError))
    sources, missing, fingerprint = prepare_lexicon(tmp_path / "lexicon", [])
    assert missing == [] and set(sources.values()) == {"packages of Debian, PyPI and scikit-learn"}
    assert prepare_lexicon(tmp_path / "again", [tmp_path / "lexicon"])[2] == fingerprint
