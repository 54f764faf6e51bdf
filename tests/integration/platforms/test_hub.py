"""Download a backbone from a local server that answers as the Hugging Face hub does."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from support.checkouts import ROOT
from support.tiny import tiny_settings

from lib.files.hashing import hash_file
from lib.modeling.random_init import build_random_backbone
from lib.settings.config import HubBackbone
from lib.settings.load import save_settings

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve `folder` as org/model at COMMIT, and yield the address and a growing list of downloaded files."""
    fetched: list[str] = []

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            name = self.path.rpartition("/")[2]
            if self.path.startswith("/api/models/org/model/revision/"):
                siblings = [{"rfilename": file.name} for file in folder.iterdir()]
                body = json.dumps({"id": "org/model", "sha": COMMIT, "siblings": siblings}).encode()
            elif self.path.startswith(
                f"/api/models/org/model/tree/{COMMIT}"
            ):  # huggingface_hub 2 asks for this, version 0.36 does not
                files = [
                    {"type": "file", "path": f.name, "size": f.stat().st_size, "oid": ""} for f in folder.iterdir()
                ]
                body = json.dumps(files).encode()
            elif self.path == f"/org/model/resolve/{COMMIT}/{name}" and (folder / name).exists():
                body = (folder / name).read_bytes()
                fetched.extend([name] if with_body else [])
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{hash_file(folder / name) if (folder / name).exists() else ""}"')
            self.send_header("X-Repo-Commit", COMMIT)
            self.end_headers()
            self.wfile.write(body if with_body else b"")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", fetched
        server.shutdown()


def fetch(address: str, *, offline: bool = False) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "HF_ENDPOINT": address,
        "HF_HOME": "hub-cache",
        "HF_HUB_OFFLINE": str(int(offline)),
    }
    command = [sys.executable, "-m", "lib", "backbone", "hubs"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("revision", "weights"), [(COMMIT, "safetensors"), ("main", "safetensors"), (COMMIT, "bin")])
def test_a_hub_backbone_becomes_files_with_its_commit_and_needs_the_hub_once(
    project: Path, revision: str, weights: str
) -> None:
    served = project / "served"
    served.mkdir()
    build_random_backbone("bert", "tiny", ["The writer is tired."] * 9, served, seed=1)
    (served / "tf_model.h5").write_text("weights for another framework")
    if weights == "bin":
        import torch
        from safetensors.torch import load_file

        torch.save(load_file(served / "model.safetensors"), served / "pytorch_model.bin")
        (served / "model.safetensors").unlink()
    else:
        (served / "pytorch_model.bin").write_text("not wanted next to model.safetensors")
    settings = tiny_settings()
    source = HubBackbone(source="hub", repo="org/model", revision=revision)
    save_settings(settings.model_copy(update={"backbones": {"hubs": source}}), "results/settings.json")
    with hub(served) as (address, fetched):
        done = fetch(address)
    assert done.returncode == 0, done.stderr
    kept = {"safetensors": "model.safetensors", "bin": "pytorch_model.bin"}[weights]
    assert kept in fetched and len(fetched) == len(set(fetched))
    assert not {"tf_model.h5", "model.safetensors", "pytorch_model.bin"} - {kept} & set(fetched)
    manifest = json.loads(Path("results/backbones/hubs/backbone.json").read_text())
    assert manifest["resolved"] == f"org/model@{COMMIT}"
    assert (f"pin it: revision: {COMMIT}" in done.stderr) == (revision == "main")
    # The files are now in the hub's cache, so that a second call needs no network.
    again = fetch(address, offline=True)
    assert again.returncode == 0, again.stderr
