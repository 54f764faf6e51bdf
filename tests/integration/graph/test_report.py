"""The report shows every section, holds no text, and is drawn by a browser."""

import contextlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest
from support.tiny import change_settings

from lib.cli.main import main

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def with_report(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished run with report and summary. Copy it before changing it."""
    folder = tmp_path_factory.mktemp("report") / "copy"
    shutil.copytree(finished, folder)
    timings = folder / "results/criteria/benchmarks/stage_a"
    timings.mkdir(parents=True)
    (timings / "worker-0.tsv").write_text("s\th:m:s\tmax_rss\n3600\t1:00:00\t812.3\n")
    with contextlib.chdir(folder):
        change_settings(agents=["criteria"], corpus={"excluded_criteria": ["SPECIAL_CASE"]})
        assert main(["report", "criteria"]) == 0 and main(["summary"]) == 0
    return folder


@pytest.fixture
def reported(with_report: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The report's page; its folder is the working directory."""
    monkeypatch.chdir(with_report)
    return Path("results/criteria/report.html").read_text()


def test_the_report_warns_of_a_model_that_always_gives_one_answer(
    with_report: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(with_report, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    path = Path("results/criteria/test.json")
    result = json.loads(path.read_text())
    confusion = result["models"][0]["scores"]["confusion"]
    for yes, no, warning in (
        (0, 3, "It predicts negative for every"),
        (4, 0, "It predicts positive for every"),
        (1, 3, ""),
    ):
        confusion |= {"true_positive": yes, "false_positive": 0, "false_negative": no, "true_negative": no}
        path.write_text(json.dumps(result))
        assert main(["report", "criteria"]) == 0
        html = Path("results/criteria/report.html").read_text()
        assert warning in html and ("It predicts" in html) == bool(warning)


def test_the_report_has_every_section_and_holds_no_text(reported: str, capsys) -> None:
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", reported)
    assert titles == [
        "Test set",
        "Criteria",
        "Calibration",
        "Stage A: history",
        "Stage A: rungs",
        "Stage A: parallel coordinates",
        "Stage B: Pareto front",
        "Stage C: cross-validation",
        "Variance",
        "Learning curves",
        "Time and cost",
        "The chosen configuration",
        "Provenance",
    ], "too few trials for importances; nothing augmented, nothing failed"
    assert reported.count("<svg") == 8
    assert "Left out of all scores (corpus.excluded_criteria): SPECIAL_CASE." in reported
    texts = pd.read_parquet("results/corpus/posts.parquet")["text"]
    for html in (reported, Path("results/summary.html").read_text(), Path("results/summary.json").read_text()):
        assert not any(text[:30] in html for text in texts)
    assert not re.search(r"(?:src|href)=\"(?!#|data:)", reported), "nothing is fetched"
    ids = re.findall(r'\bid="([^"]+)"', reported)
    assert len(ids) == len(set(ids))
    assert "| criteria | tiny-bert |" in Path("results/summary.md").read_text()
    assert main(["report", "evidence"]) == 1


@pytest.mark.skipif(BROWSER is None, reason="no chromium here: apt-get install chromium")
@pytest.mark.parametrize("width", [400, 1200])
def test_a_browser_draws_every_figure_without_errors(reported: str, tmp_path: Path, width: int) -> None:
    probe = """<script>
    const boxes = [...document.querySelectorAll('svg')].map(s => {
      const box = s.getBoundingClientRect(); return [box.width, box.height, s.querySelectorAll('path').length]; });
    document.title = JSON.stringify({boxes, overflow: document.documentElement.scrollWidth - innerWidth});
    </script></body>"""
    file = tmp_path / "report.html"
    file.write_text(reported.replace("</body>", probe))
    words = ["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--window-size={width},900"]
    assert BROWSER is not None
    done = subprocess.run(
        [BROWSER, *words, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = json.loads(re.search(r"<title>(.*?)</title>", done.stdout).group(1))
    assert len(found["boxes"]) == 8 and found["overflow"] <= 0
    assert all(w > 100 and h > 50 and paths > 5 for w, h, paths in found["boxes"])
    assert "CONSOLE" not in done.stderr
