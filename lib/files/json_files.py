"""Read JSON files, with errors that name the file."""

import json
from pathlib import Path
from typing import Any

from lib.errors import UserError


def read_json(path: str | Path) -> Any:
    """Return the content of a JSON file, which may begin with a byte order mark, as editors on Windows write it.

    Raises:
        UserError: The file is missing or is not valid JSON; the line names it.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run the command or the rule that writes it first") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UserError(
            f"{path}: not valid JSON ({error}); fix the file, or remove it if the pipeline wrote it"
        ) from None
