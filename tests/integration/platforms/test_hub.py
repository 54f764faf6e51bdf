"""Download a backbone from a local server that answers as the Hugging Face hub does."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from support.checkouts import ROOT
from support.tiny import tiny_settings

from lib.files.hashing import hash_file
from lib.modeling.random_init import build_random_backbone
from lib.settings.config import HubBackbone
from lib.settings.load import save_settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve each folder in `folder` as org/{its name} at COMMIT.

    Yields:
        The address, and a growing list of the downloaded files as {folder}/{file}.
    """
    fetched: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            asked = re.match(
                rf"(/api/models)?/org/(\w+)/(?:revision/|tree/{COMMIT}|resolve/{COMMIT}/)([^/?]*)", self.path
            )
            repository, name = asked[2] if asked else "", asked[3] if asked else ""
            files = list((folder / repository).iterdir()) if asked else []
            if asked and asked[1] and "/revision/" in self.path:
                siblings = [{"rfilename": file.name} for file in files]
                body = json.dumps({"id": f"org/{repository}", "sha": COMMIT, "siblings": siblings}).encode()
            elif asked and asked[1]:  # huggingface_hub 2 asks for this, version 0.36 does not
                tree = [{"type": "file", "path": f.name, "size": f.stat().st_size, "oid": ""} for f in files]
                body = json.dumps(tree).encode()
            elif asked and folder / repository / name in files:
                body = (folder / repository / name).read_bytes()
                fetched.extend([f"{repository}/{name}"] if with_body else [])
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            path = folder / repository / name
            self.send_header("ETag", f'"{hash_file(path) if path.is_file() else ""}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            self.wfile.write(body if with_body else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", fetched
        server.shutdown()


def fetch(address: str, names: Iterable[str], *, offline: bool = False) -> subprocess.CompletedProcess[str]:
    """Run the command `backbone` for each name, in one new process."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "HF_ENDPOINT": address,
        "HF_HOME": "hub-cache",
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    program = (
        "import sys; from lib.cli.main import main; sys.exit(any([main(['backbone', n]) for n in sys.argv[1:]]))"
    )
    command = [sys.executable, "-c", program, *names]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def serve(folder: Path, weights: str) -> None:
    """Write a backbone with weights of several kinds; those of the wanted kind are the best for torch."""
    folder.mkdir(parents=True)
    build_random_backbone("bert", "tiny", ["The writer is tired."] * 9, folder, seed=1)
    (folder / "tf_model.h5").write_text("weights for another framework")
    if weights == "bin":
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    else:
        (folder / "pytorch_model.bin").write_text("not wanted next to model.safetensors")


def test_hub_backbones_become_files_with_their_commit_and_need_the_hub_once(project: Path) -> None:
    served = {"pinned": (COMMIT, "safetensors"), "moving": ("main", "safetensors"), "old": (COMMIT, "bin")}
    sources = {}
    for name, (revision, weights) in served.items():
        serve(project / "served" / name, weights)
        sources[name] = HubBackbone(source="hub", repo=f"org/{name}", revision=revision)
    save_settings(tiny_settings().model_copy(update={"backbones": sources}), "results/settings.json")
    with hub(project / "served") as (address, fetched):
        done = fetch(address, served)
    assert done.returncode == 0, done.stderr
    assert len(fetched) == len(set(fetched))
    for name, (_, weights) in served.items():
        kept = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[weights]
        own = {file.removeprefix(f"{name}/") for file in fetched if file.startswith(f"{name}/")}
        assert own & {"tf_model.h5", "model.safetensors", "pytorch_model.bin"} == {kept}
        manifest = json.loads(Path(f"results/backbones/{name}/backbone.json").read_text())
        assert manifest["resolved"] == f"org/{name}@{COMMIT}"
    [note] = [line for line in done.stderr.splitlines() if f"set 'revision: {COMMIT}' to get" in line]
    assert note.startswith("backbone moving: ")
    # The files are now in the hub's cache, so that a second call needs no network.
    again = fetch(address, served, offline=True)
    assert again.returncode == 0, again.stderr
