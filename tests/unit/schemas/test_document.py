import json
from pathlib import Path
from typing import ClassVar

import pytest
from support.tiny import tiny_settings

from lib.errors import UserError
from lib.schemas.document import Document, code_version, make_provenance, now, without_times


class Note(Document):
    KIND: ClassVar[str] = "note"
    text: str


def note() -> Note:
    made = make_provenance(tiny_settings(), corpus_hash="d", started=now())
    return Note(provenance=made, text="Grüße")


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
    with pytest.raises(UserError, match="not valid JSON"):
        Note.read(path)
    path.write_text("[]")
    with pytest.raises(UserError, match="expected a JSON object"):
        Note.read(path)
    with pytest.raises(UserError, match="no such file"):
        Note.read(tmp_path / "none.json")


def test_without_times_removes_times_and_performance() -> None:
    first = {"a": [{"performance": 1, "b": 2}], "provenance": {"started": "x", "seed": 1}}
    assert without_times(first) == {"a": [{"b": 2}], "provenance": {"seed": 1}}
