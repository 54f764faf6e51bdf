import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT
from support.tiny import commands

from lib.cli.main import main, parser

MISSING = "results/settings.json: no such file; run the command or the rule that writes it first\n"


def test_help_names_every_command(capsys) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert all(command.split()[0] in shown for command in commands())
    assert parser().prog == "python -m lib"


def test_a_user_error_prints_one_line_and_a_bug_prints_a_traceback(project: Path, capsys, monkeypatch) -> None:
    assert main(["corpus", "--input", "x", "--log", "logs/a.log"]) == 1
    assert capsys.readouterr().err == MISSING
    assert "results/settings.json: no such file" in Path("logs/a.log").read_text()

    command = [sys.executable, "-m", "lib", "corpus", "--input", "x"]
    plain = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    assert plain.stderr == MISSING

    def bug(*_: object) -> None:
        raise ZeroDivisionError

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.cli.data.schema.json_schema", bug)
    assert main(["schema", "--output", "s.json"]) == 1
    assert "Traceback" in capsys.readouterr().err
    (project / "folder").mkdir()
    for words, expected in (
        (["settings", "--json", "5"], "--json: expected a mapping"),
        (["settings", "--config", "folder"], "folder: cannot be read"),
        (["status", "--log", "config/config.yaml/log"], "--log: config/config.yaml/log cannot be written"),
    ):
        assert main(words) == 1 and capsys.readouterr().err.startswith(expected)
    monkeypatch.setattr("lib.cli.data.schema.json_schema", interrupt)
    assert main(["schema", "--output", "s.json"]) == 130
    assert "run the same command to continue" in capsys.readouterr().err


def test_a_closed_pipe_prints_no_traceback() -> None:
    command = [sys.executable, "-m", "lib", "completion", "bash"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    piped = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    assert piped.stdout is not None and piped.stderr is not None
    piped.stdout.close()
    assert piped.stderr.read() == "" and piped.wait() == 1


def test_importing_the_command_line_imports_no_torch() -> None:
    code = (
        "import sys, lib.cli.main as m; m.parser(); assert not {'torch', 'transformers', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_telemetry_is_off(project: Path) -> None:
    main(["schema"])
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1" and os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["DO_NOT_TRACK"] == "1"
