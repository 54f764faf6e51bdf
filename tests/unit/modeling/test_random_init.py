import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.checkouts import ROOT

from lib.modeling.random_init import build_random_backbone
from lib.settings.config import Architecture

TEXTS = ["The writer is tired nearly every day.", "I could not sleep at all last night, again."] * 20


ARCHITECTURES: list[Architecture] = ["bert", "roberta", "xlnet"]  # one of each kind of tokenizer


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each architecture, made by another process."""
    folder = tmp_path_factory.mktemp("elsewhere")
    code = (
        "import sys; from pathlib import Path; from lib.modeling.random_init import build_random_backbone\n"
        f"for name in sys.argv[1:]: build_random_backbone(name, 'tiny', {TEXTS!r}, Path(name), 1)"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code, *ARCHITECTURES], check=True, cwd=folder, env=environment)
    return folder


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.slow
def test_a_tokenizer_is_the_same_in_every_process(
    elsewhere: Path, tmp_path: Path, architecture: Architecture
) -> None:
    """The tokenizers library's own trainers differ between processes, because it follows a hash table's order."""
    build_random_backbone(architecture, "tiny", TEXTS, tmp_path, 1)
    for file in ("tokenizer.json", "model.safetensors"):
        assert (tmp_path / file).read_bytes() == (elsewhere / architecture / file).read_bytes()
