"""Heads, which are small networks on top of an encoder's vectors."""

from torch import nn

from lib.settings.hyperparameters import Activation, Hyperparameters

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
