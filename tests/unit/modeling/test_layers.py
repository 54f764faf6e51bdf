from contextlib import nullcontext
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from support.tiny_backbones import TEXTS, tiny_backbone

from lib.modeling.dropout import FastDropout
from lib.modeling.layers import checkpoint_gradients, layer_stack, only_first_token, parameter_depths
from lib.modeling.tokens import TokenCache, WindowLayout, tokenize
from lib.settings.config import Architecture


def count_calls(module: torch.nn.Module) -> list[None]:
    calls: list[None] = []
    module.register_forward_hook(lambda *_: calls.append(None))
    return calls


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_layers_are_found_and_recomputing_them_keeps_the_gradients(
    project: Path, architecture: Architecture, quick: bool
) -> None:
    backbones = tiny_backbone(project, architecture)
    options = {"layout": WindowLayout(64, overlap=None), "cache": TokenCache(project / "cache", "f")}
    tokens = tokenize(backbones.tokenizer("x"), TEXTS[:4], TEXTS[1:5], **options)
    gradients, counts = [], []
    for recompute in (False, True):
        encoder = backbones.encoder("x", tokens.vocabulary).train()
        if recompute:
            checkpoint_gradients(encoder)
        times = count_calls(next(m for m in layer_stack(encoder)[1].modules() if isinstance(m, torch.nn.Linear)))
        torch.manual_seed(0)
        with FastDropout(np.random.default_rng(0)) if quick else nullcontext():
            encoder(**tokens.batch(np.arange(4)).inputs).last_hidden_state.square().sum().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in encoder.parameters() if p.grad is not None]))
        counts.append(len(times))
    assert torch.equal(*gradients) and counts[1] == 2 * counts[0] > 0
    depth, top = parameter_depths(encoder)
    assert top == (1 if architecture == "albert" else 2) and set(depth.values()) == set(range(top + 1))
    assert all(depth[name] == 0 for name in depth if "word_embedding" in name)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_a_last_layer_for_the_first_token_only_gives_its_vector_and_gradient(
    project: Path, architecture: Architecture, quick: bool
) -> None:
    backbones = tiny_backbone(project, architecture)
    options = {"layout": WindowLayout(64, overlap=None), "cache": TokenCache(project / "cache", "f")}
    tokens = tokenize(backbones.tokenizer("x"), TEXTS[:4], [*TEXTS[1:4], "No."], **options)
    batch = tokens.batch(np.arange(4)).inputs
    vectors, gradients = [], []
    for only in (False, True):
        # The square of a normalised vector is constant, so its gradient in single precision is only rounding error.
        encoder = backbones.encoder("x", tokens.vocabulary).double().train()
        for module in encoder.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
            for name in ("dropout_prob", "attention_dropout"):
                if isinstance(getattr(module, name, None), float):
                    setattr(module, name, 0.0)
        if only:
            assert only_first_token(encoder) == (architecture in {"bert", "roberta", "electra"})
        with FastDropout(np.random.default_rng(0)) if quick else nullcontext():
            vector = encoder(**batch).last_hidden_state
        alone = only and architecture in {"bert", "roberta", "electra"}
        assert vector.shape[1] == (1 if alone else batch["input_ids"].shape[1])
        vector[:, 0].square().sum().backward()
        vectors.append(vector[:, 0].detach())
        gradients.append({name: p.grad for name, p in encoder.named_parameters() if p.grad is not None})
    torch.testing.assert_close(*vectors)
    torch.testing.assert_close(*gradients)
