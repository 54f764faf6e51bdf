"""Read CSV files and check their encoding, columns and the length of each row."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from lib.errors import UserError, did_you_mean


def read_csv_rows(path: Path, columns: Sequence[str], remedy: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows of a CSV file; empty lines are skipped.

    Args:
        path: File to read, in UTF-8.
        columns: The columns to read. Others are ignored.
        remedy: What to do about a missing column, for the error.

    Yields:
        (row number, {column: text}) pairs. The header is row 1, as in a spreadsheet.

    Raises:
        UserError: The file is missing, empty, not UTF-8 or not CSV, lacks a column or names it twice, or has a row
            with more or fewer fields than the header; one line for each such column or row.
    """
    csv.field_size_limit(sys.maxsize)
    rows = list(_rows(path))
    if not rows:
        raise UserError(f"{path}: is empty; expected the columns {', '.join(columns)}")
    header = rows[0]
    missing = [c for c in columns if c not in header]
    if missing:
        raise UserError(
            f"{path}: column '{c}' is missing{did_you_mean(c, header)} (found: {', '.join(header)}; {remedy})"
            for c in missing
        )
    repeated = [c for c in columns if header.count(c) > 1]
    if repeated:
        raise UserError(f"{path}: the header names column '{c}' twice; rename one" for c in repeated)
    ragged = [
        f"{path}, row {number}: has {len(row)} fields, the header has {len(header)};"
        " put quotes around a text that contains commas"
        for number, row in enumerate(rows, start=1)
        if row and len(row) != len(header)
    ]
    if ragged:
        raise UserError(ragged)
    places = {column: header.index(column) for column in columns}
    for number, row in enumerate(rows[1:], start=2):
        if row:
            yield number, {column: row[place] for column, place in places.items()}


def _rows(path: Path) -> Iterator[list[str]]:
    try:
        raw = path.read_bytes()
    except OSError:
        raise UserError(f"{path}: no such file") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UserError(
            f"{path}, line {line}: byte {raw[error.start]:#04x} is not UTF-8; save the file as UTF-8"
        ) from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: not valid CSV: {error}") from None
