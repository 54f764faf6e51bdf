"""Heads: small networks on top of an encoder's vectors."""

from torch import nn

from lib.settings.hyperparameters import Activation, Hyperparameters

_ACTIVATIONS: dict[Activation, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def head(width: int, outputs: int, hyper: Hyperparameters) -> nn.Sequential:
    """Build a head of head.layers linear layers; all but the last are followed by activation and dropout."""
    modules: list[nn.Module] = [nn.Dropout(hyper.head_dropout)]
    for _ in range(hyper.head_layers - 1):
        activation = _ACTIVATIONS[hyper.head_activation]()
        modules += [nn.Linear(width, hyper.head_hidden), activation, nn.Dropout(hyper.head_dropout)]
        width = hyper.head_hidden
    return nn.Sequential(*modules, nn.Linear(width, outputs))
