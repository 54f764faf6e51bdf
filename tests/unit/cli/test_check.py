"""The command `check`."""

import runpy
from pathlib import Path

from support.checkouts import ROOT

from lib.cli.main import main


def test_check_reports_every_problem_at_once(project: Path, capsys) -> None:
    assert main(["check"]) == 0
    lines = capsys.readouterr().out.splitlines()
    names = ["data", "minilm-l4", "optimizers", "lexicon", "storage", "device", "write", "disk"]
    assert [line.split()[1] for line in lines] == names and all(line.startswith("ok") for line in lines)

    overlay = '{"corpus": {"dir": "nowhere"}, "training": {"device": "cuda"}, "watch": {"disk_gb": 1e9},'
    overlay += (
        ' "storage": "postgresql://nobody@127.0.0.1:9/none", "constraints": {"aug.enabled": {"choices": [true]},'
    )
    overlay += ' "model.backbone": {"choices": ["roberta-base"]}}, "augmentation": {"lexicon": "nowhere"}}'
    assert main(["check", "--config", "config/config.yaml", "--json", overlay]) == 1
    out = capsys.readouterr()
    failed = [line for line in out.out.splitlines() if line.startswith("FAIL")]
    failures = "\n".join(failed)
    for expected in ("nowhere/posts.csv", "hf download", "nowhere is not a folder", "did not give it", "1e+09"):
        assert expected in failures
    assert "checks failed; fix them before running" in out.err and "minilm" in out.out


def test_check_refuses_a_corpus_whose_groups_cannot_be_split(project: Path, capsys) -> None:
    runpy.run_path(str(ROOT / "examples/own_corpus/write_corpus.py"))["write_corpus"](project / "corpus")
    one_group = '{"corpus": {"dir": "corpus", "group": {"pattern": "^(post)"}}}'
    own = ROOT / "examples/own_corpus/config.yaml"
    assert main(["check", "--config", "config/config.yaml", "--config", str(own), "--json", one_group]) == 1
    assert "FAIL  data         corpus: groups of posts in" in capsys.readouterr().out


def test_check_reports_a_folder_that_cannot_be_written(project: Path, capsys, monkeypatch) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("lib.cli.run.check.tempfile.TemporaryFile", refused)
    assert main(["check"]) == 1
    assert "results: cannot be written (Permission denied)" in capsys.readouterr().out
