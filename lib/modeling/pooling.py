"""Pooling of token vectors into one vector."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Pooling


class Pooler(nn.Module):
    """Pool the vectors of the non-padding tokens.

    `cls` takes the vector of the cls token, wherever the architecture puts it (XLNet puts it last). `mean` and `max`
    are over the tokens. `attention` is a mean with a learned softmax weight for each token. `pair` compares the means
    u and v of the two texts, as [u, v, |u − v|, u ⊙ v] (Reimers & Gurevych, 2019) and their cosine.

    Attributes:
        width: Size of the pooled vectors.
    """

    def __init__(self, kind: Pooling, width: int, special: SpecialTokens) -> None:
        """Create the pooling.

        Args:
            kind: 'cls', 'mean', 'max', 'attention' or 'pair'.
            width: Size of the token vectors.
            special: The ids of the cls and the sep token in the encoder's vocabulary.
        """
        super().__init__()
        self.kind = kind
        self.width = 4 * width + 1 if kind == "pair" else width
        self.special = special
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return one vector per pair.

        Args:
            hidden: (batch, tokens, width) token vectors.
            input_ids: (batch, tokens).
            attention_mask: (batch, tokens), 0 at padding.

        Returns:
            (batch, `self.width`).
        """
        if self.kind == "cls":
            place = (input_ids == self.special.cls).int().argmax(dim=1)
            return hidden[torch.arange(len(hidden), device=hidden.device), place]
        if self.kind == "mean":
            return _mean(hidden, attention_mask.bool())
        if self.kind == "pair":
            return self._compare(hidden, input_ids, attention_mask.bool())
        mask = attention_mask.unsqueeze(-1).bool()
        pooled: Tensor
        if self.kind == "max":
            pooled = hidden.masked_fill(~mask, torch.finfo(hidden.dtype).min).amax(dim=1)
            return pooled
        assert self.score is not None
        weight = self.score(hidden).float().masked_fill(~mask, float("-inf")).softmax(dim=1)
        pooled = (hidden * weight.to(hidden.dtype)).sum(dim=1)
        return pooled

    def _compare(self, hidden: Tensor, input_ids: Tensor, mask: Tensor) -> Tensor:
        """Compare the two texts, which sep tokens part."""
        sep = input_ids == self.special.sep
        text = mask & ~sep & (input_ids != self.special.cls)
        behind = sep.cumsum(dim=1) > 0
        u, v = _mean(hidden, text & ~behind), _mean(hidden, text & behind)
        cosine = F.cosine_similarity(u.float(), v.float(), dim=-1).unsqueeze(-1).to(u.dtype)
        return torch.cat([u, v, (u - v).abs(), u * v, cosine], dim=-1)


def _mean(hidden: Tensor, mask: Tensor) -> Tensor:
    chosen = mask.unsqueeze(-1)
    mean: Tensor = hidden.masked_fill(~chosen, 0).sum(dim=1) / chosen.sum(dim=1).clamp(min=1)
    return mean
