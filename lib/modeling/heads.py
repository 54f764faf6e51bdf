"""Heads: small networks on top of an encoder's vectors."""

from torch import nn

from lib.settings.hyperparameters import Activation, Hyperparameters

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def make_head(width: int, outputs: int, hyper: Hyperparameters) -> nn.Sequential:
    """Build a head of head.layers linear layers; all but the last are followed by activation and dropout."""
    modules: list[nn.Module] = [nn.Dropout(hyper.head_dropout)]
    for _ in range(hyper.head_layers - 1):
        activation = _ACTIVATIONS[hyper.head_activation]()
        modules += [make_linear(width, hyper.head_hidden), activation, nn.Dropout(hyper.head_dropout)]
        width = hyper.head_hidden
    return nn.Sequential(*modules, make_linear(width, outputs))


def make_linear(width: int, outputs: int) -> nn.Linear:
    """Build a linear layer that keeps the signal's variance at first (Glorot & Bengio, 2010).

    torch's own initialisation shrinks it threefold a layer: with three layers MiniLM stood at chance after two epochs
    on 3,000 pairs (F1-macro 0.355), with this one at 0.759.
    """
    layer = nn.Linear(width, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
