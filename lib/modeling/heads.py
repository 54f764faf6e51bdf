"""Heads, which are small networks on top of an encoder's vectors."""

import torch
from torch import Tensor, nn

from lib.settings.hyperparameters import Activation, Hyperparameters

_SIMILARITY_SCALE = 10.0
_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def make_head(width: int, outputs: int, hyper: Hyperparameters) -> nn.Sequential:
    """Build a head of linear layers, with activation and dropout after each layer but the last.

    Args:
        width: Size of the input vectors.
        outputs: Number of logits.
        hyper: Gives the number of layers, the hidden size, the activation and the dropout (`head.*`).

    Returns:
        The head, which maps (…, width) to (…, outputs). Its input is dropped out too.
    """
    modules: list[nn.Module] = [nn.Dropout(hyper.head_dropout)]
    for _ in range(hyper.head_layers - 1):
        activation = _ACTIVATIONS[hyper.head_activation]()
        modules += [make_linear(width, hyper.head_hidden), activation, nn.Dropout(hyper.head_dropout)]
        width = hyper.head_hidden
    return nn.Sequential(*modules, make_linear(width, outputs))


class PairHead(nn.Module):
    """A label head for the pooling `pair`, which begins with the similarity of the two texts.

    The log odds of yes are scale · cosine plus those of a head on the other features. This head begins at −scale / 2
    for every pair, so an untrained model predicts yes where the cosine is above 1/2.
    """

    def __init__(self, width: int, hyper: Hyperparameters) -> None:
        """Create the head.

        Args:
            width: Size of the pooled vectors, whose last element is the cosine.
            hyper: Gives the head (`head.*`).
        """
        super().__init__()
        self.head = make_head(width - 1, 2, hyper)
        last = self.head[-1]
        assert isinstance(last, nn.Linear)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias[1] = -_SIMILARITY_SCALE / 2
        self.scale = nn.Parameter(torch.tensor([_SIMILARITY_SCALE]))

    def forward(self, vector: Tensor) -> Tensor:
        """Return the logits of no and yes.

        Args:
            vector: (batch, width) pooled vectors.

        Returns:
            (batch, 2).
        """
        no, yes = self.head(vector[:, :-1]).unbind(dim=-1)
        return torch.stack([no, yes + self.scale * vector[:, -1]], dim=-1)


def make_linear(width: int, outputs: int) -> nn.Linear:
    """Build a linear layer whose initial weights keep the variance of the signal (Glorot & Bengio, 2010).

    torch's own initialisation shrinks the variance threefold in each layer. MiniLM with a head of three layers was
    at chance after two epochs on 3,000 pairs (F1-macro 0.355). With this initialisation it reached 0.759.

    Args:
        width: Number of input features.
        outputs: Number of output features.

    Returns:
        The layer, with biases of 0.
    """
    layer = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
