from dataclasses import replace
from pathlib import Path

import pandas as pd

from lib.cli.main import main
from lib.corpus.reader import read_corpus
from lib.corpus.store import load_development, save_tables
from lib.schemas.corpus import CorpusManifest
from lib.settings.config import CorpusSettings


def test_tampered_tables_are_caught(copy_of_prepared: Path, capsys) -> None:
    path = "results/corpus/annotations.parquet"
    table = pd.read_parquet(path)
    table.assign(status=1 - table["status"]).to_parquet(path)
    assert main(["tfidf", "criteria"]) == 1
    assert "the tables do not match corpus.json" in capsys.readouterr().err
    Path(path).write_bytes(b"x")
    assert main(["tfidf", "criteria"]) == 1
    assert "results/corpus: cannot be read" in capsys.readouterr().err


def test_the_fingerprint_of_a_part_holds_what_its_scores_depend_on(copy_of_prepared: Path) -> None:
    part = load_development(Path("results/corpus"))
    regrouped = part.posts.assign(group=0)
    moved = part.annotations.assign(start=part.annotations["start"] + 1)
    others = [
        replace(part, posts=part.posts.iloc[1:]),
        replace(part, posts=regrouped),
        replace(part, annotations=moved),
        replace(part, excluded=("FATIGUE",)),
        replace(part, unannotated_are_negative=False),
        replace(part, unknown=part.annotations.iloc[:1].assign(status=-1)),
    ]
    assert len({part.fingerprint, *(other.fingerprint for other in others)}) == 7
    assert replace(part, posts=part.posts.copy()).fingerprint == part.fingerprint


def test_pairs_without_a_majority_stay_unknown(copy_of_prepared: Path) -> None:
    """Two rows about a sentence of the development set say yes and no."""
    splits = pd.read_parquet("results/corpus/splits.parquet")
    rows = pd.read_csv("results/generated/annotations.csv")
    row = rows[rows["post_id"].isin(splits["post_id"][splits["part"] == "development"])].iloc[:1]
    contradicted = pd.concat([rows, row.assign(status=1 - row["status"])])
    contradicted.to_csv("results/generated/annotations.csv", index=False)
    corpus = read_corpus(CorpusSettings(tolerate=("contradiction",)), Path("results/generated"))
    folder = Path("results/corpus")
    save_tables(corpus, splits, folder)
    manifest = CorpusManifest.read(folder / "corpus.json")
    manifest.model_copy(update={"corpus_hash": corpus.hash()}).write(folder / "corpus.json")
    development = load_development(folder)
    assert len(corpus.annotations) == len(rows) - 1
    assert development.unknown["sentence"].tolist() == row["sentence_text"].tolist()
    assert development.undecided <= {(row.iloc[0]["post_id"], row.iloc[0]["DSM5_symptom"])}
