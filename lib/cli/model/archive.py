"""The command `archive`, which packs results into one tar file without texts."""

import io
import json
import sys
import tarfile
from argparse import ArgumentParser, Namespace
from importlib.metadata import distributions
from pathlib import Path

from lib.cli.command import Command
from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.hashing import hash_file
from lib.schemas.document import code_version, now

_LEFT_OUT = ("cache", "corpus", "generated", "backbones", "lexicon", "mlartifacts", "tfidf")


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--output", type=Path, default=Path("results.tar.gz"), help="archive to write")


def archive(options: Namespace) -> None:
    """Pack results, configuration, versions and hashes into one tar file; texts, caches and backbones are left out.

    Raises:
        UserError: There are no results.
    """
    results: Path = options.results
    files = [p for p in sorted(results.rglob("*")) if p.is_file() and not _is_left_out(p.relative_to(results))]
    if not files:
        raise UserError(f"{results}: there is nothing to archive")
    own = Path("config")
    files += sorted(p for p in own.rglob("*") if p.is_file()) if own.is_dir() else []
    manifest = {
        "made": now(),
        "code_version": code_version(),
        "python": sys.version.split()[0],
        "packages": {
            d.metadata["Name"]: d.version for d in sorted(distributions(), key=lambda d: d.metadata["Name"])
        },
        "files": {str(path): hash_file(path) for path in files},
    }
    with replacing(options.output) as temporary, tarfile.open(temporary, "w:gz") as tar:
        body = json.dumps(manifest, indent=1).encode()
        entry = tarfile.TarInfo("MANIFEST.json")
        entry.size = len(body)
        tar.addfile(entry, io.BytesIO(body))
        for path in files:
            tar.add(path, arcname=str(path), recursive=False)
    print(f"{options.output}: {len(files)} files; texts, caches and backbones are left out", file=sys.stderr)


def _is_left_out(path: Path) -> bool:
    return any(part in _LEFT_OUT or part.startswith(".") for part in path.parts) or path.suffix == ".lock"


COMMAND = Command(
    "archive",
    "Pack all results into one tar file, without texts.",
    archive,
    add_arguments,
)
