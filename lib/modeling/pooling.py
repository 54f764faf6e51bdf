"""Pooling: from token vectors to one vector."""

import torch
from torch import Tensor, nn

from lib.settings.hyperparameters import Pooling


class Pooler(nn.Module):
    """Reduce (batch, tokens, width) to (batch, width), padding left out.

    cls: the vector at the tokenizer's cls token, wherever the architecture puts it (XLNet: last). mean, max:
    over the tokens. attention: a learned softmax weight for each token.
    """

    def __init__(self, kind: Pooling, width: int, cls_token_id: int) -> None:
        super().__init__()
        self.kind = kind
        self.cls_token_id = cls_token_id
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """hidden: (batch, tokens, width); input_ids, attention_mask: (batch, tokens)."""
        if self.kind == "cls":
            place = (input_ids == self.cls_token_id).int().argmax(dim=1)
            return hidden[torch.arange(len(hidden), device=hidden.device), place]
        mask = attention_mask.unsqueeze(-1).bool()
        pooled: Tensor
        if self.kind == "mean":
            pooled = hidden.masked_fill(~mask, 0).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
            return pooled
        if self.kind == "max":
            pooled = hidden.masked_fill(~mask, torch.finfo(hidden.dtype).min).amax(dim=1)
            return pooled
        assert self.score is not None
        weight = self.score(hidden).float().masked_fill(~mask, float("-inf")).softmax(dim=1)
        pooled = (hidden * weight.to(hidden.dtype)).sum(dim=1)
        return pooled
