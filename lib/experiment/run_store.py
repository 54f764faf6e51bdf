"""The store of finished runs: each is kept under the hash of all that it depends on, and never trained again."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.experiment.splits import Split
from lib.files.hashing import hash_value
from lib.schemas.run import Run


class RunStore:
    """The finished runs of one agent, and the checkpoints of those that are being trained."""

    def __init__(self, runs: Path, checkpoints: Path) -> None:
        self._runs, self._checkpoints = runs, checkpoints

    def get(self, key: str) -> Run | None:
        """Return the run of this key; None if it has not been finished."""
        path = self._path(key)
        return Run.read(path) if path.exists() else None

    def put(self, run: Run) -> None:
        """Keep a finished run; its checkpoint is removed."""
        run.write(self._path(run.key))
        self.discard_checkpoint(run.key)

    def checkpoint(self, key: str) -> Path:
        """Return where the checkpoint of a training is kept."""
        return self._checkpoints / f"{key}.pt"

    def discard_checkpoint(self, key: str) -> None:
        """Remove the checkpoint of a training, if there is one."""
        self.checkpoint(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._runs / f"{key}.json"


def run_key(identity: Mapping[str, Any], params: Mapping[str, Any], split: Split, epochs: Any) -> str:
    """Return the hash that names a run.

    Args:
        identity: What else than hyper-parameters, split and epochs its numbers depend on.
        params: Hyper-parameters, under the names of the search space.
        split: The examples that it learns from and is scored on.
        epochs: Anything JSON can hold that says how long it is trained.
    """
    parts = [part if part is None else part.tolist() for part in (split.train, split.validation, split.held_out)]
    return hash_value([identity, params, split.name, parts, epochs], 24)
