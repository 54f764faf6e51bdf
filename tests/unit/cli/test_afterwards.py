"""Years later: the chosen trial again from its JSON, and the archive."""

import json
import shutil
import tarfile
from pathlib import Path

import pytest

from lib.cli.main import main
from lib.files.hashing import hash_file

FILE = Path("results/criteria/provenance.json")


def test_the_chosen_trial_is_made_again_from_its_json_alone(copy_of_finished: Path, tmp_path: Path, capsys) -> None:
    assert main(["provenance", "criteria"]) == 0
    kept = shutil.copy(FILE, tmp_path / "provenance.json")
    shutil.rmtree("results")
    assert main(["reproduce", str(kept)]) == 0
    assert capsys.readouterr().out.strip().endswith("the same")
    assert not Path("results").exists(), "an empty folder of its own"
    body = json.loads(Path(kept).read_text())
    body["seeds"][0]["f1_macro"] += 0.01
    Path(kept).write_text(json.dumps(body))
    assert main(["reproduce", str(kept)]) == 1
    assert "not the same: differs by up to 0.01; the packages' versions are the same" in capsys.readouterr().err
    body["settings"]["config"]["generator"]["seed"] = 6
    Path(kept).write_text(json.dumps(body))
    assert main(["reproduce", str(kept)]) == 1
    assert "its corpus is " in capsys.readouterr().err


def test_an_archive_holds_results_and_hashes_but_no_texts(copy_of_finished: Path) -> None:
    assert main(["provenance", "criteria"]) == 0 and main(["archive"]) == 0
    with tarfile.open("results.tar.gz") as tar:
        names = set(tar.getnames())
        manifest = json.loads(tar.extractfile("MANIFEST.json").read())
    assert {"results/criteria/test.json", "results/criteria/model/model.safetensors", str(FILE)} <= names
    assert "config/config.yaml" in names and manifest["packages"]["torch"]
    assert not any("parquet" in name or "generated" in name or "/tfidf/" in name for name in names)
    assert manifest["files"]["results/criteria/test.json"] == hash_file("results/criteria/test.json")
    assert names == {"MANIFEST.json", *manifest["files"]}
    shutil.rmtree("results")
    Path("results").mkdir()
    assert main(["archive"]) == 1


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_the_posts(copy_of_finished: Path, share: float) -> None:
    from conftest import settings_with

    settings_with(corpus={"share": share})
    assert main(["corpus", "--input", "results/generated"]) == 0
    counts = json.loads(Path("results/corpus/corpus.json").read_text())["posts"]
    assert sum(counts.values()) == round(60 * share)
