"""Content hashes: the identity of a configuration, a corpus, a backbone, a finished run."""

import hashlib
import json
from pathlib import Path
from typing import Any


def hash_value(value: Any, length: int = 16) -> str:
    """Hash anything JSON can hold, independent of the order of keys. Returns `length` hex digits."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def hash_file(path: str | Path, length: int = 16) -> str:
    """Hash a file's bytes. Returns `length` hex digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:length]


def derive_seed(*parts: Any) -> int:
    """Derive an independent 32-bit seed from named parts, e.g. derive_seed(seed, "batches", epoch)."""
    return int(hash_value(list(parts), 8), 16)
