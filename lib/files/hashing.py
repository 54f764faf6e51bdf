"""Content hashes, which identify a configuration, a corpus, a backbone or a finished run."""

import hashlib
import json
from pathlib import Path
from typing import Any


def hash_value(value: Any, length: int = 16) -> str:
    """Hash a value that JSON can hold; the order of keys does not matter.

    Args:
        value: Nested dicts, lists, texts, numbers, booleans and None.
        length: Number of hex digits, at most 64.

    Returns:
        The first `length` hex digits of the SHA-256 of the value's canonical JSON.
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def hash_file(path: str | Path, length: int = 16) -> str:
    """Hash the bytes of a file.

    Args:
        path: File to read.
        length: Number of hex digits, at most 64.

    Returns:
        The first `length` hex digits of the file's SHA-256.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:length]


def derive_seed(*parts: Any) -> int:
    """Derive an independent 32-bit seed from named parts, e.g. derive_seed(seed, "batches", epoch)."""
    return int(hash_value(list(parts), 8), 16)
