"""A pair classifier: encoder, pooling, head."""

from typing import Any

from torch import Tensor, nn

from lib.modeling.pooling import Pool
from lib.settings.hyperparameters import Activation, Hyperparameters

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def head(
    width: int, outputs: int, *, layers: int, hidden: int, activation: Activation, dropout: float
) -> nn.Sequential:
    """Build a head of `layers` linear layers; all but the last are followed by activation and dropout."""
    modules: list[nn.Module] = [nn.Dropout(dropout)]
    for _ in range(layers - 1):
        modules += [_linear(width, hidden), _ACTIVATIONS[activation](), nn.Dropout(dropout)]
        width = hidden
    return nn.Sequential(*modules, _linear(width, outputs))


def _linear(width: int, outputs: int) -> nn.Linear:
    """Keep the signal's variance (Glorot & Bengio, 2010).

    torch's own initialisation shrinks it threefold a layer: with three layers MiniLM stood at chance after two epochs
    on 3,000 pairs (F1-macro 0.355), with this one at 0.759.
    """
    layer = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class PairClassifier(nn.Module):
    """Logits for a tokenised pair."""

    def __init__(self, encoder: Any, hyper: Hyperparameters, cls_token_id: int, classes: int) -> None:
        super().__init__()
        width = int(encoder.config.hidden_size)
        self.encoder = encoder
        self.pool = Pool(hyper.pooling, width, cls_token_id)
        self.head = head(
            width,
            classes,
            layers=hyper.head_layers,
            hidden=hyper.head_hidden,
            activation=hyper.head_activation,
            dropout=hyper.head_dropout,
        )

    def forward(self, input_ids: Tensor, attention_mask: Tensor, **more: Tensor) -> Tensor:
        """All inputs are (batch, tokens). Returns logits (batch, classes)."""
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **more).last_hidden_state
        logits: Tensor = self.head(self.pool(hidden, input_ids, attention_mask))
        return logits
