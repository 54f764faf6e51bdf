"""Models of pairs: one encoder with a label head, a span head or both, or two encoders fused."""

from typing import Any

import torch
from torch import Tensor, nn

from lib.modeling.heads import make_head, make_linear
from lib.modeling.layers import only_first_token
from lib.modeling.pooling import Pooler
from lib.settings.hyperparameters import Fusion, Hyperparameters

Inputs = dict[str, Tensor]
Outputs = dict[str, Tensor]


class PairModel(nn.Module):
    """One encoder. Outputs logits, as far as asked for: 'label', (batch, 2); 'start' and 'end', (batch, tokens)."""

    def __init__(self, encoder: Any, hyper: Hyperparameters, cls_token_id: int, *, label: bool, span: bool) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.pool = Pooler(hyper.pooling, width, cls_token_id) if label else None
        self.label_head = make_head(width, 2, hyper) if label else None
        self.span_head = make_head(width, 2, hyper) if span else None
        if hyper.pooling == "cls" and not span:
            only_first_token(encoder)

    def forward(self, inputs: Inputs) -> Outputs:
        """Inputs are (batch, tokens) each."""
        hidden = self.encoder(**inputs).last_hidden_state
        outputs: Outputs = {}
        if self.pool is not None and self.label_head is not None:
            outputs["label"] = self.label_head(self.pool(hidden, inputs["input_ids"], inputs["attention_mask"]))
        if self.span_head is not None:
            outputs["start"], outputs["end"] = self.span_head(hidden).unbind(dim=-1)
        return outputs


class JointModel(nn.Module):
    """Two encoders of the same pairs; the pooled vector of the second is fused into the tokens of the first.

    Outputs as PairModel's: 'label' from the second encoder, 'start' and 'end' from the fused tokens of the first.
    """

    def __init__(self, evidence: Any, criteria: Any, hyper: Hyperparameters, cls_token_id: int) -> None:
        super().__init__()
        width, own = int(evidence.config.hidden_size), int(criteria.config.hidden_size)
        self.encoder = evidence
        self.criteria_encoder = criteria
        self.pool = Pooler(hyper.pooling, own, cls_token_id)
        if hyper.pooling == "cls":
            only_first_token(criteria)
        self.label_head = make_head(own, 2, hyper)
        self.align = nn.Sequential(make_linear(own, width), nn.Dropout(hyper.joint_dropout))
        self.fuse = Fuse(hyper.joint_fusion, width)
        self.span_head = make_head(width, 2, hyper)

    def forward(self, inputs: Inputs, criteria: Inputs) -> Outputs:
        """Both inputs are (batch, tokens) each; their numbers of tokens may differ."""
        vector = self.pool(
            self.criteria_encoder(**criteria).last_hidden_state, criteria["input_ids"], criteria["attention_mask"]
        )
        tokens = self.fuse(self.encoder(**inputs).last_hidden_state, self.align(vector))
        start, end = self.span_head(tokens).unbind(dim=-1)
        return {"label": self.label_head(vector), "start": start, "end": end}


class Fuse(nn.Module):
    """Fuse one vector, (batch, width), into token vectors, (batch, tokens, width), of the same shape after.

    add: the sum. gate: the vector weighted by a sigmoid of both. concat: a linear map of both.
    """

    def __init__(self, kind: Fusion, width: int) -> None:
        super().__init__()
        self.kind = kind
        self.mix = None if kind == "add" else make_linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, vector: Tensor) -> Tensor:
        """Return the fused tokens."""
        spread = vector.unsqueeze(1).expand_as(tokens)
        if self.mix is None:
            fused = tokens + spread
        elif self.kind == "gate":
            fused = tokens + self.mix(torch.cat([tokens, spread], dim=-1)).sigmoid() * spread
        else:
            fused = self.mix(torch.cat([tokens, spread], dim=-1))
        result: Tensor = self.norm(fused)
        return result
