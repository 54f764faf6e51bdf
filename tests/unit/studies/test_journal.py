"""The journal file of a study survives interrupted writes and a full disk."""

import json
from pathlib import Path

import pytest
from support.studies import NAME, run_trials, study_in
from support.tiny import tiny_settings

from lib.errors import UserError
from lib.studies.journal import Journal
from lib.studies.location import StudyLocation


def test_a_torn_tail_is_dropped_and_damage_within_is_refused(tmp_path: Path) -> None:
    space = tiny_settings().space
    run_trials(study_in(tmp_path), 3, space)
    path = StudyLocation(NAME, tmp_path, None).journal
    path.write_bytes(path.read_bytes() + b'{"op_code": 5, "wor')
    assert len(run_trials(study_in(tmp_path), 4, space)) == 1
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:20] + b"\n", *lines[4:]]))
    with pytest.raises(UserError, match=r"criteria-stage_a.journal: a line is damaged"):
        study_in(tmp_path)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch) -> None:
    space = tiny_settings().space
    run_trials(study_in(tmp_path), 2, space)
    path = StudyLocation(NAME, tmp_path, None).journal
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lib.studies.journal.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            Journal(path).append_logs([{"op_code": 0}])
    assert path.read_bytes() == before
    assert len(run_trials(study_in(tmp_path), 3, space)) == 1


def test_batched_writes_are_one_append(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    with pytest.raises(RuntimeError), journal.batched():
        journal.append_logs([{"a": 1}])
        raise RuntimeError
    assert (tmp_path / "a.journal").read_text() == "", "all or none"
    with journal.batched():
        journal.append_logs([{"a": 1}])
        journal.append_logs([{"b": 2}])
        assert (tmp_path / "a.journal").read_text() == ""
    assert [json.loads(line) for line in (tmp_path / "a.journal").read_text().splitlines()] == [{"a": 1}, {"b": 2}]
