"""Access to an encoder's layers, for layer-wise learning rates, gradient checkpointing and a cheaper last layer."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from lib.modeling.dropout import checkpoint_contexts


def named_encoders(model: nn.Module) -> dict[str, nn.Module]:
    """Return a model's encoders by name; its other children are poolers, heads and fusion layers."""
    return {name: child for name, child in model.named_children() if name.endswith("encoder")}


def layer_stack(encoder: nn.Module) -> tuple[str, nn.ModuleList]:
    """Return the name of the encoder's outermost list of modules, and that list.

    It holds the layers. ALBERT's layers share their weights, so its list has one element.
    """
    return next((name, module) for name, module in encoder.named_modules() if isinstance(module, nn.ModuleList))


def parameter_depths(encoder: nn.Module) -> tuple[dict[str, int], int]:
    """Return the depth of each parameter by its name, and the greatest depth.

    Embeddings have depth 0, the lowest layer has 1, and so on. Parameters after the layers (a last norm, DeBERTa's
    relative positions) have the depth of the highest layer.
    """
    stack, modules = layer_stack(encoder)
    found: dict[str, int] = {}
    depth = 0
    for name, _ in encoder.named_parameters():
        if name.startswith(f"{stack}."):
            depth = 1 + int(name.removeprefix(f"{stack}.").partition(".")[0])
        elif depth:
            depth = len(modules)
        found[name] = depth
    return found, len(modules)


def only_first_token(encoder: Any) -> bool:
    """Let the last layer compute only the first token's vector, for a model that reads no other token.

    The first token still attends to all tokens, so its vector and the gradient stay the same. Of the layer's matrix
    products only those of keys and values remain.

    Returns:
        Whether the encoder was changed. Only BERT, RoBERTa and ELECTRA with absolute positions are.
    """
    if encoder.config.model_type not in {"bert", "roberta", "electra"}:
        return False
    attention: Any = layer_stack(encoder)[1][-1].attention
    if getattr(attention.self, "position_embedding_type", "absolute") != "absolute":
        return False
    attention.forward = _FirstToken(attention)
    return True


class _FirstToken:
    """Self-attention of BERT with the first token as the only query."""

    def __init__(self, attention: Any) -> None:
        self.attention = attention

    def __call__(
        self, hidden: Tensor, attention_mask: Tensor | None = None, *_: Any, **__: Any
    ) -> tuple[Tensor, None]:
        own, first = self.attention.self, hidden[:, :1]
        shape = (len(hidden), -1, own.num_attention_heads, own.attention_head_size)
        query, key, value = (
            linear(states).view(shape).transpose(1, 2)
            for linear, states in ((own.query, first), (own.key, hidden), (own.value, hidden))
        )
        mask = None if attention_mask is None else attention_mask[:, :, :1]
        dropped = own.dropout.p if own.training else 0.0
        context = F.scaled_dot_product_attention(query, key, value, mask, dropped)
        return self.attention.output(context.transpose(1, 2).flatten(2), first), None


def checkpoint_gradients(encoder: nn.Module) -> None:
    """Let every layer compute its activations again in the backward pass instead of storing them (Chen et al., 2016).

    Dropout masks are repeated, so the gradients stay the same. transformers supports this only for some
    architectures.
    """
    for layer in layer_stack(encoder)[1]:
        layer.forward = _Recomputed(layer.forward)


class _Recomputed:
    def __init__(self, forward: Any) -> None:
        self.forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not torch.is_grad_enabled():
            return self.forward(*args, **kwargs)
        return checkpoint(self.forward, *args, use_reentrant=False, context_fn=checkpoint_contexts, **kwargs)
