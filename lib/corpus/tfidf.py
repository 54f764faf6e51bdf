"""The TF-IDF cache, which is fitted once for the same development texts and can be read by nlpaug's TfIdfAug."""

import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import joblib
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from lib.files.atomic import replacing, write_json, write_text
from lib.files.hashing import hash_value
from lib.files.json_files import read_json
from lib.settings.config import TfidfSettings

MODEL = "tfidf.joblib"
# The file names that nlpaug's TfIdfAug expects in a folder.
WORD_TO_IDF, WORD_TO_TFIDF = "tfidfaug_w2idf.txt", "tfidfaug_w2tfidf.txt"
FILES = (MODEL, WORD_TO_IDF, WORD_TO_TFIDF)


def build_tfidf(texts: list[str], settings: TfidfSettings, *, cache: Path, folder: Path) -> dict[str, Any]:
    """Write FILES, fitted now or reused from an earlier fit on the same texts with the same settings.

    Args:
        texts: Development texts, in any order.
        settings: Settings of the vectorizer.
        cache: Folder that keeps earlier fits.
        folder: Where to write FILES.

    Returns:
        key, texts, features and performance of the `TfidfManifest`.
    """
    kept, reused = fit_cached(texts, settings, cache)
    for name in FILES:
        with replacing(folder / name) as temporary:
            temporary.write_bytes((kept / name).read_bytes())
    facts = read_json(kept / "facts.json")
    performance = {"build_seconds": facts.pop("build_seconds"), "reused": reused}
    return {"key": kept.name, **facts, "performance": performance}


def fit_cached(texts: list[str], settings: TfidfSettings, cache: Path) -> tuple[Path, bool]:
    """Return the folder of FILES in the cache, and whether they were fitted before.

    Args:
        texts: The texts, in any order.
        settings: Settings of the vectorizer.
        cache: Folder that keeps fits.

    Returns:
        The folder, whose name is the key of the fit, and whether it is an earlier fit.
    """
    kept = cache / hash_value([sorted(texts), settings.model_dump(mode="json"), version("scikit-learn"), 1])
    reused = (kept / "facts.json").exists()
    if not reused:
        _fit(texts, settings, kept)
    return kept, reused


def _fit(texts: list[str], settings: TfidfSettings, folder: Path) -> None:
    started = time.perf_counter()
    vectorizer = TfidfVectorizer(
        max_features=settings.max_features,
        ngram_range=settings.ngram_range,
        min_df=settings.min_df,
        sublinear_tf=True,
    )
    weights = np.asarray(vectorizer.fit_transform(texts).sum(axis=0)).ravel()
    with replacing(folder / MODEL) as temporary:
        joblib.dump(vectorizer, temporary)
    names = vectorizer.get_feature_names_out()
    # TfIdfAug replaces single words, so its files hold the unigrams. Its scores are the probabilities with which
    # words are drawn as replacements, high for words of low weight (Xie et al., 2020, UDA, appendix).
    single = [i for i, name in enumerate(names) if " " not in name]
    chances = weights[single].max() - weights[single]
    chances = chances / chances.sum() if chances.sum() > 0 else np.full(len(single), 1 / len(single))
    idf = vectorizer.idf_[single]
    write_text(
        folder / WORD_TO_IDF,
        "".join(f"{names[i]} {v!r}\n" for i, v in zip(single, idf.tolist(), strict=True)),
    )
    write_text(
        folder / WORD_TO_TFIDF,
        "".join(f"{names[i]} {v!r}\n" for i, v in zip(single, chances.tolist(), strict=True)),
    )
    seconds = round(time.perf_counter() - started, 3)
    # Written last, because its presence shows that the folder is complete.
    write_json(folder / "facts.json", {"texts": len(texts), "features": len(names), "build_seconds": seconds})
