"""Versioned JSON documents with their provenance, checked when they are read."""

import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import ValidationError

from lib.errors import UserError
from lib.files.atomic import write_text
from lib.files.json_files import read_json
from lib.pydantic_base import FrozenSchema

if TYPE_CHECKING:
    from lib.settings.load import Settings

# The device of a document that only collects the results of others.
NO_TRAINING = "none: no training"

PACKAGES = (
    "torch",
    "transformers",
    "tokenizers",
    "bitsandbytes",
    "lion-pytorch",
    "pytorch-optimizer",
    "nlpaug",
    "textattack",
    "nltk",
    "optuna",
    "scikit-learn",
    "scipy",
    "numpy",
    "snakemake",
)
# Those that only search or run jobs, or whose texts are identified by the bank, change no training.
_NOT_TRAINING = ("nlpaug", "textattack", "optuna", "snakemake")


class Provenance(FrozenSchema):
    """Where a document comes from. Two equal runs differ only in `started` and `finished`."""

    config_hash: str
    corpus_hash: str
    code_version: str
    packages: dict[str, str]
    seed: int
    device: str
    started: str
    finished: str


def now() -> str:
    """Return the current time in UTC as ISO 8601, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


@cache
def code_version() -> str:
    """Return the package's version and, in a git checkout, its commit (with '+dirty' after local changes)."""
    try:
        package = version("clinical-transformer-search")
    except PackageNotFoundError:
        package = "0"
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return package
    command = ["git", "-C", str(root), "describe", "--always", "--dirty=+dirty", "--exclude=*"]
    try:
        described = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError):
        return package
    return f"{package}+{described.stdout.strip()}"


def versions() -> dict[str, str]:
    """Return the versions of the packages that results depend on."""
    return dict(_package_versions())


def training_versions(packages: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the versions of the packages that the numbers of a training depend on.

    Args:
        packages: The packages of a document's provenance; None for those that are installed.
    """
    return {n: found for n, found in (packages or versions()).items() if n not in _NOT_TRAINING}


@cache
def _package_versions() -> Mapping[str, str]:
    return {name: version(name) for name in PACKAGES}


def make_provenance(
    settings: "Settings", *, started: str, corpus_hash: str = "", device: str = NO_TRAINING
) -> Provenance:
    """Return the provenance of a document that is being finished now.

    Args:
        settings: The settings that the document was made with.
        started: When work on it began, as `now` returned it.
        corpus_hash: The hash of the corpus; empty for a document that does not depend on one.
        device: The device on which models were trained for it.

    Returns:
        The provenance, with the current time as `finished`.
    """
    return Provenance(
        config_hash=settings.config_hash(),
        corpus_hash=corpus_hash,
        code_version=code_version(),
        packages=versions(),
        seed=settings.config.seed,
        device=device,
        started=started,
        finished=now(),
    )


class Document(FrozenSchema):
    """A result file. Subclasses set KIND and VERSION, and `read` refuses files with any other.

    FILE is the name of the file. Documents of which a folder holds several have none.
    """

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1
    FILE: ClassVar[str]

    provenance: Provenance

    def write(self, path: str | Path) -> None:
        """Write atomically as JSON, with kind and schema_version first."""
        body = {"kind": self.KIND, "schema_version": self.VERSION, **self.model_dump(mode="json")}
        write_text(path, json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n")

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """Read and validate a file.

        Raises:
            UserError: The file is missing, broken, or of another kind or version; the lines name it.
        """
        try:
            return cls.model_validate_json(json.dumps(cls._body(path)))
        except ValidationError as error:
            raise UserError(
                f"{path}: {'.'.join(map(str, e['loc']))}: {e['msg']}; remove the file to create it again"
                for e in error.errors()
            ) from None

    @classmethod
    def _body(cls, path: str | Path) -> dict[str, Any]:
        body = read_json(path)
        if not isinstance(body, dict):
            raise UserError(f"{path}: expected a JSON object")
        kind, schema = body.pop("kind", None), body.pop("schema_version", None)
        if kind != cls.KIND:
            raise UserError(f"{path}: is a '{kind}' document; expected '{cls.KIND}'")
        if schema != cls.VERSION:
            raise UserError(
                f"{path}: schema_version {schema} of '{cls.KIND}' is unknown (known: {cls.VERSION});"
                " use the version that wrote it, or remove the file to create it again"
            )
        return body


def without_times(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what differs between two equal runs.

    These are the times of its provenance and the `performance` blocks, which hold every figure that is measured with
    a clock or a memory counter.
    """
    timed = {"performance", "started", "finished"}
    return {key: _without_times(value) for key, value in document.items() if key not in timed}


def _without_times(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_times(value)
    if isinstance(value, list):
        return [_without_times(item) for item in value]
    return value
