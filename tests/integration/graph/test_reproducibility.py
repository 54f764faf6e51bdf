import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import torch
from support.checkouts import ROOT
from support.tiny import commands

from lib.cli.main import main
from lib.files.hashing import hash_file
from lib.schemas.document import without_times


def test_two_clean_runs_give_the_same_results_except_for_times(finished: Path, tmp_path: Path) -> None:
    """The second run is in a new process and another folder, with one worker on the CPU."""
    shutil.copytree(finished / "config", tmp_path / "config")
    until_stage_c = commands()[: commands().index("stage-c criteria") + 1]
    code = "import sys; from lib.cli.main import main; sys.exit(any(main(c.split()) for c in sys.argv[1:]))"
    subprocess.run(
        [sys.executable, "-c", code, *until_stage_c],
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


FILE = Path("results/criteria/provenance.json")


def test_the_chosen_trial_is_reproduced_from_its_json_alone(copy_of_finished: Path, tmp_path: Path, capsys) -> None:
    assert main(["provenance", "criteria"]) == 0
    kept = shutil.copy(FILE, tmp_path / "provenance.json")
    shutil.rmtree("results")
    torch.set_num_threads(2)
    assert main(["reproduce", str(kept)]) == 0
    torch.set_num_threads(1)
    assert capsys.readouterr().out.strip().endswith("The scores are equal.")
    assert not Path("results").exists(), "an empty folder of its own"
    body = json.loads(Path(kept).read_text())
    body["seeds"][0]["objective"] += 0.01
    Path(kept).write_text(json.dumps(body))
    assert main(["reproduce", str(kept)]) == 1
    assert "the scores differ by up to 0.01; the packages' versions are the same" in capsys.readouterr().err
    body["settings"]["config"]["generator"]["seed"] = 6
    Path(kept).write_text(json.dumps(body))
    assert main(["reproduce", str(kept)]) == 1
    assert "its corpus is " in capsys.readouterr().err


def test_an_archive_holds_results_and_hashes_but_no_texts(copy_of_finished: Path) -> None:
    assert main(["provenance", "criteria"]) == 0 and main(["archive"]) == 0
    with tarfile.open("results.tar.gz") as tar:
        names = set(tar.getnames())
        manifest = json.loads(tar.extractfile("MANIFEST.json").read())
    assert {"results/criteria/test.json", "results/criteria/model/training-1/model.safetensors", str(FILE)} <= names
    assert "config/config.yaml" in names and manifest["packages"]["torch"]
    assert not any("parquet" in name or "generated" in name or "/tfidf/" in name for name in names)
    assert manifest["files"]["results/criteria/test.json"] == hash_file("results/criteria/test.json")
    assert names == {"MANIFEST.json", *manifest["files"]}
    shutil.rmtree("results")
    Path("results").mkdir()
    assert main(["archive"]) == 1
