"""Read files, with errors that name them."""

import json
from pathlib import Path
from typing import Any

from lib.errors import UserError


def read_json(path: str | Path) -> Any:
    """Read JSON. Raises UserError naming the file if it is missing or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except ValueError as error:
        raise UserError(f"{path}: no valid JSON ({error}); remove the file to have it made anew") from None
