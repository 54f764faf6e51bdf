from dataclasses import replace
from pathlib import Path

from lib.cli.main import main
from lib.corpus.store import load_development


def test_tampered_tables_are_caught(copy_of_prepared: Path, capsys) -> None:
    import pandas as pd

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
        replace(part, natural=False),
    ]
    assert len({part.fingerprint, *(other.fingerprint for other in others)}) == 6
    assert replace(part, posts=part.posts.copy()).fingerprint == part.fingerprint
