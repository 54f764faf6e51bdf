import csv
import shutil
import stat
from pathlib import Path

import pytest
from support.evaluations import check_stage_c
from support.tiny import agent_commands, change_settings, commands

from lib.cli.main import main


def test_no_text_reaches_a_log_or_a_result(finished: Path) -> None:
    import pandas as pd

    rows = pd.read_csv(finished / "results/generated/annotations.csv")
    files = [
        p for p in (finished / "results/criteria").rglob("*") if p.suffix in {".json", ".log", ".journal", ".svg"}
    ]
    assert len(files) > 10
    shown = "\n".join(p.read_text() for p in files)
    assert not any(sentence in shown for sentence in rows["sentence_text"])


CANARY = "zqxcanary"
# Files that must hold words: the corpus, vocabularies, models and the bank of augmented texts.
MAY_HOLD_WORDS = (
    "corpus/posts.parquet",
    "corpus/annotations.parquet",
    "corpus/unknown.parquet",
    "generated/",
    "backbones/",
    "/tfidf/",
    "cache/",
    "/model/",
    "mlartifacts/",
)


def write_corpus(folder: Path, source: Path) -> None:
    """Write the generated corpus with the canary word inserted between all words."""
    folder.mkdir()
    for name, columns in (("posts", ["text"]), ("annotations", ["sentence_text"])):
        with (source / f"{name}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            for column in columns:
                row[column] = row[column].replace(" ", f" {CANARY} ")
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


@pytest.mark.no_cover
def test_no_word_of_a_post_leaves_the_corpus(
    finished: Path, project: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    write_corpus(project / "data", finished / "results/generated")
    shutil.copy(finished / "config/tiny.yaml", project / "config/tiny.yaml")
    assert main(commands()[0].split()) == 0
    tiny = {"trials": 2, "seeds": 1}
    stages = {
        "stage_a": tiny | {"min_epochs": 1},
        "stage_b": tiny,
        "stage_c": {"candidates": 1},
        "training": {"epochs": 1},
        "baseline": {"seeds": 1},
        "final": {"seeds": 1},
    }
    change_settings(agents=["share"], corpus={"dir": "data"}, **stages)
    log = "results/share/logs/all.log"
    all_commands = [
        "corpus --input data",
        "backbone tiny-bert",
        *agent_commands("share", candidates=1),
        "report share",
        "summary",
        "sync",
    ]
    for command in all_commands:
        assert main([*command.split(), *([] if "--log" in command else ["--log", log])]) == 0, command
    check_stage_c("share")
    # An error names the place of a problem but never quotes the text.
    with (project / "data/annotations.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    status, post = rows[0].index("status"), rows[0].index("post_id")
    rows.append([str(1 - int(cell)) if place == status else cell for place, cell in enumerate(rows[1])])
    rows.append(["nowhere" if place == post else cell for place, cell in enumerate(rows[2])])
    with (project / "data/annotations.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    assert main(["corpus", "--input", "data", "--log", log]) == 1

    output = capfd.readouterr()
    assert CANARY not in output.out + output.err and "contradict" in output.err
    assert (project / log).stat().st_size > 100
    seen = 0
    for path in sorted((project / "results").rglob("*")):
        name = str(path.relative_to(project))
        if path.is_file() and not any(part in name for part in MAY_HOLD_WORDS):
            seen += 1
            assert CANARY.encode() not in path.read_bytes(), name
            assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO), f"{name} may be read by others"
    assert seen > 20 and (project / "results/mlflow.db").exists()
    # The registered model holds the tokenizer's vocabulary but no text.
    for path in (project / "results/mlartifacts").rglob("*"):
        if path.is_file() and path.name not in {"tokenizer.json", "vocab.txt"}:
            assert CANARY.encode() not in path.read_bytes(), path
