import torch
from support.tiny import params

from lib.modeling.heads import make_head
from lib.settings.hyperparameters import Hyperparameters


def test_heads_have_the_layers_asked_for() -> None:
    for number in (1, 2, 3):
        built = make_head(8, 2, Hyperparameters.of(params(**{"head.layers": number})))
        assert sum(isinstance(m, torch.nn.Linear) for m in built) == number
        assert built(torch.zeros(4, 8)).shape == (4, 2)
