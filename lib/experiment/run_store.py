"""Store finished runs under the hash of everything that they depend on, so that none is trained twice."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lib.experiment.splits import Split
from lib.files.hashing import hash_value
from lib.schemas.run import Run


class RunStore:
    """The finished runs of one agent, and the checkpoints of its unfinished trainings."""

    def __init__(self, runs: Path, checkpoints: Path) -> None:
        """Set the folders.

        Args:
            runs: Folder of finished runs, one JSON file each.
            checkpoints: Folder of checkpoints.
        """
        self._runs, self._checkpoints = runs, checkpoints

    def get(self, key: str) -> Run | None:
        """Return the run with this key, or None if it has not been finished."""
        path = self._path(key)
        return Run.read(path) if path.exists() else None

    def put(self, run: Run) -> None:
        """Store a finished run and remove its checkpoint."""
        run.write(self._path(run.key))
        self.discard_checkpoint(run.key)

    def checkpoint(self, key: str) -> Path:
        """Return the path of a training's checkpoint; the file need not exist."""
        return self._checkpoints / f"{key}.pt"

    def discard_checkpoint(self, key: str) -> None:
        """Remove the checkpoint of a training, if there is one."""
        self.checkpoint(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._runs / f"{key}.json"


def run_key(identity: Mapping[str, Any], params: Mapping[str, Any], split: Split, epochs: Any) -> str:
    """Return the hash that names a run.

    Args:
        identity: Everything else that the scores depend on, such as corpus, backbones and engine version.
        params: Hyper-parameters, under the names of the search space.
        split: The examples to train on and to score.
        epochs: How long the run is trained, as any value that JSON can hold.

    Returns:
        24 hexadecimal digits.
    """
    samples = [
        None if part is None else [part.index.tolist(), part.weight.tolist()]
        for part in (split.validation, split.held_out)
    ]
    parts = [split.train.tolist(), *samples]
    return hash_value([identity, params, split.name, parts, epochs], 24)
