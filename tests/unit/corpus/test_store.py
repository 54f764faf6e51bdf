from pathlib import Path

from lib.cli.main import main


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
