"""Models that read (criterion, text) pairs with one encoder or with two fused encoders."""

from typing import Any

import torch
from torch import Tensor, nn

from lib.modeling.heads import PairHead, make_head, make_linear
from lib.modeling.layers import only_first_token
from lib.modeling.pooling import Pooler
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Fusion, Hyperparameters

Inputs = dict[str, Tensor]
Outputs = dict[str, Tensor]


class PairModel(nn.Module):
    """One encoder with a label head, a span head or both."""

    def __init__(
        self, encoder: Any, hyper: Hyperparameters, special: SpecialTokens, *, label: bool, span: bool
    ) -> None:
        """Put new heads on an encoder.

        Args:
            encoder: A transformers model without pooler. Its last layer may be changed, see `only_first_token`.
            hyper: Gives pooling and heads.
            special: The ids of the cls and the sep token in the encoder's vocabulary.
            label: Whether the model has a label head.
            span: Whether the model has a span head.
        """
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.pool = Pooler(hyper.pooling, width, special) if label else None
        self.label_head = _label_head(self.pool, hyper) if self.pool is not None else None
        self.span_head = make_head(width, 2, hyper) if span else None
        if hyper.pooling == "cls" and not span:
            only_first_token(encoder)

    def forward(self, inputs: Inputs) -> Outputs:
        """Return the logits of each head.

        Args:
            inputs: The encoder's arguments, (batch, tokens) each.

        Returns:
            'label', (batch, 2), of a label head; 'start' and 'end', (batch, tokens) each, of a span head.
        """
        hidden = self.encoder(**inputs).last_hidden_state
        outputs: Outputs = {}
        if self.pool is not None and self.label_head is not None:
            outputs["label"] = self.label_head(self.pool(hidden, inputs["input_ids"], inputs["attention_mask"]))
        if self.span_head is not None:
            outputs["start"], outputs["end"] = self.span_head(hidden).unbind(dim=-1)
        return outputs


def _label_head(pool: Pooler, hyper: Hyperparameters) -> nn.Module:
    return PairHead(pool.width, hyper) if hyper.pooling == "pair" else make_head(pool.width, 2, hyper)


class JointModel(nn.Module):
    """Two encoders that read the same pairs.

    The pooled vector of the criteria encoder gives the label and is fused into the tokens of the evidence encoder,
    which give the span.
    """

    def __init__(self, evidence: Any, criteria: Any, hyper: Hyperparameters, special: SpecialTokens) -> None:
        """Put new heads and a fusion on two encoders.

        Args:
            evidence: A transformers model without pooler, which reads for spans.
            criteria: A transformers model without pooler, which reads for the label. Its last layer may be changed,
                see `only_first_token`.
            hyper: Gives pooling, heads and fusion.
            special: The ids of the cls and the sep token in the vocabulary of the criteria encoder.
        """
        super().__init__()
        width, own = int(evidence.config.hidden_size), int(criteria.config.hidden_size)
        self.encoder = evidence
        self.criteria_encoder = criteria
        self.pool = Pooler(hyper.pooling, own, special)
        if hyper.pooling == "cls":
            only_first_token(criteria)
        self.label_head = _label_head(self.pool, hyper)
        self.align = nn.Sequential(make_linear(self.pool.width, width), nn.Dropout(hyper.joint_dropout))
        self.fuse = FusionLayer(hyper.joint_fusion, width)
        self.span_head = make_head(width, 2, hyper)

    def forward(self, inputs: Inputs, criteria: Inputs) -> Outputs:
        """Return the logits of both heads.

        Args:
            inputs: The arguments of the evidence encoder, (batch, tokens) each.
            criteria: The arguments of the criteria encoder, (batch, tokens) each; its number of tokens may differ.

        Returns:
            'label', (batch, 2), and 'start' and 'end', (batch, tokens of the evidence encoder) each.
        """
        vector = self.pool(
            self.criteria_encoder(**criteria).last_hidden_state, criteria["input_ids"], criteria["attention_mask"]
        )
        tokens = self.fuse(self.encoder(**inputs).last_hidden_state, self.align(vector))
        start, end = self.span_head(tokens).unbind(dim=-1)
        return {"label": self.label_head(vector), "start": start, "end": end}


class FusionLayer(nn.Module):
    """Fuse one vector per pair into the token vectors of that pair, followed by a layer norm.

    `add` adds the vector to each token. `gate` adds it weighted by a sigmoid of a linear map of both. `concat` is a
    linear map of both.
    """

    def __init__(self, kind: Fusion, width: int) -> None:
        """Create the layers.

        Args:
            kind: 'add', 'gate' or 'concat'.
            width: Size of the vector and of the token vectors.
        """
        super().__init__()
        self.kind = kind
        self.mix = None if kind == "add" else make_linear(2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, vector: Tensor) -> Tensor:
        """Return the fused token vectors.

        Args:
            tokens: (batch, tokens, width).
            vector: (batch, width).

        Returns:
            (batch, tokens, width).
        """
        spread = vector.unsqueeze(1).expand_as(tokens)
        if self.mix is None:
            fused = tokens + spread
        elif self.kind == "gate":
            fused = tokens + self.mix(torch.cat([tokens, spread], dim=-1)).sigmoid() * spread
        else:
            fused = self.mix(torch.cat([tokens, spread], dim=-1))
        result: Tensor = self.norm(fused)
        return result
