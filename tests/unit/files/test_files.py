import json
import subprocess
import sys
from pathlib import Path
from typing import ClassVar

import pytest

from lib.errors import UserError
from lib.files.atomic import replacing, write_json
from lib.files.documents import Document, code_version, now, provenance, without_times
from lib.files.hashing import derive_seed, hash_value
from lib.files.locks import hold


class Note(Document):
    KIND: ClassVar[str] = "note"
    text: str


def note() -> Note:
    made = provenance(config_hash="c", corpus_hash="d", seed=1, device="cpu", started=now())
    return Note(provenance=made, text="Grüße")


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def test_nan_is_no_result(tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"f1": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_documents_are_checked_when_read(tmp_path: Path) -> None:
    path = tmp_path / "note.json"
    note().write(path)
    assert Note.read(path).text == "Grüße"
    body = json.loads(path.read_text())
    assert body["schema_version"] == 1 and body["provenance"]["code_version"] == code_version()
    for change, expected in (
        ({"schema_version": 7}, "schema_version 7 of 'note' is unknown"),
        ({"kind": "run"}, "is a 'run' document; expected 'note'"),
        ({"text": 3}, "text: "),
        ({"more": 3}, "more: "),
    ):
        path.write_text(json.dumps(body | change))
        with pytest.raises(UserError, match=expected):
            Note.read(path)
    path.write_text('{"kind":')
    with pytest.raises(UserError, match="no valid JSON"):
        Note.read(path)
    path.write_text("[]")
    with pytest.raises(UserError, match="expected a JSON object"):
        Note.read(path)
    with pytest.raises(UserError, match="no such file"):
        Note.read(tmp_path / "none.json")


def test_equal_but_for_times() -> None:
    first = {"a": [{"performance": 1, "b": 2}], "provenance": {"started": "x", "seed": 1}}
    assert without_times(first) == {"a": [{"b": 2}], "provenance": {"seed": 1}}


def test_hashes_do_not_depend_on_order_and_seeds_on_every_part() -> None:
    assert hash_value({"a": 1, "b": 2}) == hash_value({"b": 2, "a": 1})
    assert derive_seed(1, "a", 2) != derive_seed(1, "a", 3)


def test_a_lock_is_refused_by_name_and_dies_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = f"from lib.files.locks import hold; f = hold({str(path)!r}, 'it'); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=f"it is in use by process {other.pid}"):
            hold(path, "it")
        other.kill()
    hold(path, "it").close()
