"""The weights of a step in bf16: cast once, not for each of its parts."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class TrainableParameters:
    """A model's trainable parameters, and what stands for them within a step."""

    def __init__(self, model: nn.Module, *, bf16: bool) -> None:
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        place = {parameter: i for i, parameter in enumerate(self.parameters)}
        # What autocast casts anew in each part; embeddings and norms are used as they are.
        self._cast = [
            (module, name, place[parameter])
            for module in model.modules()
            if bf16 and isinstance(module, nn.Linear)
            for name, parameter in module.named_parameters(recurse=False)
            if parameter in place
        ]

    @contextmanager
    def bf16_copies(self) -> Iterator[list[Tensor]]:
        """Put bf16 copies into the linear layers. Yields what the model now uses in place of each parameter.

        Gradients are taken with regard to these; the numbers are autocast's.
        """
        used: list[Tensor] = list(self.parameters)
        for module, name, place in self._cast:
            if used[place] is self.parameters[place]:
                used[place] = self.parameters[place].detach().bfloat16().requires_grad_()
            module._parameters[name] = used[place]  # type: ignore[assignment]
        try:
            yield used
        finally:
            for module, name, place in self._cast:
                module._parameters[name] = self.parameters[place]
