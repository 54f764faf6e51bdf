"""Pooling of token vectors into one vector."""

import torch
from torch import Tensor, nn

from lib.settings.hyperparameters import Pooling


class Pooler(nn.Module):
    """Pool the vectors of the non-padding tokens.

    `cls` takes the vector of the cls token, wherever the architecture puts it (XLNet puts it last). `mean` and `max`
    are over the tokens. `attention` is a mean with a learned softmax weight for each token.
    """

    def __init__(self, kind: Pooling, width: int, cls_token_id: int) -> None:
        """Create the pooling.

        Args:
            kind: 'cls', 'mean', 'max' or 'attention'.
            width: Size of the token vectors.
            cls_token_id: The id of the cls token in the encoder's vocabulary.
        """
        super().__init__()
        self.kind = kind
        self.cls_token_id = cls_token_id
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector per pair.

        Args:
            hidden: (batch, tokens, width) token vectors.
            input_ids: (batch, tokens).
            attention_mask: (batch, tokens), 0 at padding.

        Returns:
            (batch, width).
        """
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
