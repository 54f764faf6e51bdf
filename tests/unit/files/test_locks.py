import subprocess
import sys
from pathlib import Path

import pytest

from lib.errors import UserError
from lib.files.locks import hold_lock


def test_a_refused_lock_names_its_process_and_is_freed_when_that_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    code = (
        "from lib.files.locks import hold_lock;"
        f" f = hold_lock({str(path)!r}, 'it'); print('held', flush=True); input()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(UserError, match=f"it is in use by process {other.pid}"):
            hold_lock(path, "it")
        other.kill()
    hold_lock(path, "it").close()
