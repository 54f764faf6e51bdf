import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, commands, tiny_settings

from lib.agents import get_agent
from lib.cli.main import main, parser
from lib.cli.snakemake import targets_first
from lib.errors import UserError
from lib.files.documents import without_times
from lib.settings.load import save_settings


def test_help_names_every_command(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(command.split()[0] in shown for command in commands())
    assert parser().prog == "python -m lib"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--cores 8 --resources gpu=1 t.json", "t.json --cores 8 --resources gpu=1"),
        ("--config a=1 bb=2 t.json -n", "t.json --config a=1 bb=2 -n"),
        ("t.json --cores 8 -n", "t.json --cores 8 -n"),
        ("--resources gpu=1 -- t.json", "--resources gpu=1 -- t.json"),
        ("--default-resources none", "--default-resources none"),
    ],
)
def test_targets_behind_pairs_are_found(words: str, expected: str) -> None:
    assert targets_first(words.split()) == expected.split()


def test_a_user_error_is_a_line_and_a_bug_is_a_traceback(project: Path, capsys, monkeypatch) -> None:
    assert main(["corpus", "--input", "x", "--log", "logs/a.log"]) == 1
    assert capsys.readouterr().err == "results/settings.json: no such file\n"
    assert "results/settings.json: no such file" in Path("logs/a.log").read_text()

    command = [sys.executable, "-m", "lib", "corpus", "--input", "x"]
    plain = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert plain.stderr == "results/settings.json: no such file\n"

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.cli.prepare.json_schema", bug)
    assert main(["schema", "--output", "s.json"]) == 1
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setattr("lib.cli.prepare.json_schema", interrupt)
    assert main(["schema", "--output", "s.json"]) == 130
    assert "run the same command to continue" in capsys.readouterr().err


def test_a_reader_that_ends_is_no_bug() -> None:
    command = [sys.executable, "-m", "lib", "completion", "bash"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    piped = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    assert piped.stdout is not None and piped.stderr is not None
    piped.stdout.close()
    assert piped.stderr.read() == "" and piped.wait() == 1


def test_unknown_names_are_refused_with_the_nearest(copy_of_finished: Path, capsys) -> None:
    with pytest.raises(UserError, match="agent 'criterias' is unknown; did you mean 'criteria'"):
        get_agent("criterias")
    assert main(["backbone", "tiny-brt"]) == 1
    assert "backbone 'tiny-brt' is unknown; did you mean 'tiny-bert'?" in capsys.readouterr().err


def test_a_hub_backbone_can_be_made_at_random_in_its_size(copy_of_finished: Path, capsys) -> None:
    save_settings(
        tiny_settings(constraints={"model.backbone": {"choices": ["distilbert-base-uncased", "minilm"]}}),
        "results/settings.json",
    )
    assert main(["backbone", "distilbert-base-uncased", "--random-init"]) == 0
    made = json.loads(Path("results/backbones/distilbert-base-uncased/backbone.json").read_text())
    assert made["parameters"] > 43_000_000 and made["resolved"].startswith("random weights of base size")
    assert made["source"] == {"source": "random", "architecture": "distilbert"}
    assert main(["backbone", "minilm", "--random-init"]) == 1
    assert "--random-init needs its 'architecture' in the backbones file" in capsys.readouterr().err


def test_settings_and_schema_are_written(project: Path) -> None:
    overlay = json.dumps({"seed": 7})
    assert main(["settings", "--config", "config/config.yaml", "--json", overlay, "--output", "s.json"]) == 0
    assert json.loads(Path("s.json").read_text())["config"]["seed"] == 7
    assert main(["schema", "--output", "schema.json"]) == 0


def test_tampered_tables_are_caught(copy_of_finished: Path, capsys) -> None:
    import pandas as pd

    path = "results/corpus/annotations.parquet"
    table = pd.read_parquet(path)
    table.assign(status=1 - table["status"]).to_parquet(path)
    assert main(["tfidf", "criteria"]) == 1
    assert "the tables are not those of corpus.json" in capsys.readouterr().err
    Path(path).write_bytes(b"x")
    assert main(["tfidf", "criteria"]) == 1
    assert "results/corpus: cannot be read" in capsys.readouterr().err


def test_the_report_says_that_the_corpus_is_generated_and_holds_no_text(finished: Path) -> None:
    report = (finished / "results/corpus/report.md").read_text()
    assert "**This corpus is generated.**" in report
    posts = (finished / "results/generated/annotations.csv").read_text().splitlines()[1:]
    assert not any(row.split(",")[2][:40] in report for row in posts)


def test_no_text_reaches_a_log_or_a_result(finished: Path) -> None:
    import pandas as pd

    rows = pd.read_csv(finished / "results/generated/annotations.csv")
    files = [
        p for p in (finished / "results/criteria").rglob("*") if p.suffix in {".json", ".log", ".journal", ".svg"}
    ]
    assert len(files) > 10
    shown = "\n".join(p.read_text() for p in files)
    assert not any(sentence in shown for sentence in rows["sentence_text"])


def test_importing_the_command_line_imports_no_torch() -> None:
    code = (
        "import sys, lib.cli.main as m; m.parser(); assert not {'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_two_clean_runs_give_the_same_results_but_for_times(finished: Path, tmp_path: Path) -> None:
    """In a new process and another folder, one worker on the CPU."""
    shutil.copytree(finished / "config", tmp_path / "config")
    code = "import sys; from lib.cli.main import main; sys.exit(any(main(c.split()) for c in sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", code, *commands()],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    names = ["stage_a_top50", "stage_b_pareto", "stage_c/candidates", "stage_c/0-0", "stage_c/baseline", "stage_c"]
    for name in names:
        first, second = (
            json.loads((folder / f"results/criteria/{name}.json").read_text()) for folder in (finished, tmp_path)
        )
        assert without_times(first) == without_times(second), name
    assert (finished / "results/criteria/stage_c.svg").read_bytes() == (
        tmp_path / "results/criteria/stage_c.svg"
    ).read_bytes()
