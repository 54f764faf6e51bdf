"""The layers of an encoder, whatever its architecture: for layer-wise learning rates and gradient checkpointing."""

from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from lib.modeling.dropout import same_noise


def encoders(model: nn.Module) -> dict[str, nn.Module]:
    """Return a model's encoders by name; its other children are heads and their like."""
    return {name: child for name, child in model.named_children() if name.endswith("encoder")}


def layers(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the encoder's stack of layers and its name: the outermost list of modules (ALBERT's has one, shared)."""
    return next((name, module) for name, module in encoder.named_modules() if isinstance(module, nn.ModuleList))


def depths(encoder: nn.Module) -> tuple[dict[str, int], int]:
    """Return each parameter's depth, and the greatest: 0 for embeddings, 1 for the lowest layer, and so on.

    What comes after the layers (a last norm, DeBERTa's relative positions) counts as the highest.
    """
    stack, modules = layers(encoder)
    found: dict[str, int] = {}
    depth = 0
    for name, _ in encoder.named_parameters():
        if name.startswith(f"{stack}."):
            depth = 1 + int(name.removeprefix(f"{stack}.").partition(".")[0])
        elif depth:
            depth = len(modules)
        found[name] = depth
    return found, len(modules)


def checkpoint_gradients(encoder: nn.Module) -> None:
    """Make every layer compute its activations again in the backward pass instead of keeping them.

    The layers' random numbers are drawn again too, so that gradients stay the same (Chen et al., 2016). Done here and
    not by transformers, which has it for some architectures only.
    """
    for layer in layers(encoder)[1]:
        layer.forward = _Recomputed(layer.forward)


class _Recomputed:
    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.forward(*args, **kwargs)
        return checkpoint(self.forward, *args, use_reentrant=False, context_fn=same_noise, **kwargs)
