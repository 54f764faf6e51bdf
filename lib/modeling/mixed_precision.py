"""Cast weights to bf16 once per step, and not again for each part of its batch."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


class MixedPrecisionParameters:
    """A model's trainable parameters, and their bf16 copies within a step."""

    def __init__(self, model: nn.Module, *, bf16: bool) -> None:
        """Find the trainable parameters.

        Args:
            model: The model.
            bf16: Whether linear layers use bf16 copies within a step.
        """
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        place = {parameter: i for i, parameter in enumerate(self.parameters)}
        # Autocast would cast these again in each part. It uses embeddings and norms as they are.
        self._cast = [
            (module, name, place[parameter])
            for module in model.modules()
            if bf16 and isinstance(module, nn.Linear)
            for name, parameter in module.named_parameters(recurse=False)
            if parameter in place
        ]

    @contextmanager
    def bf16_copies(self) -> Iterator[list[Tensor]]:
        """Replace the weights of linear layers by bf16 copies within the block; the results are those of autocast.

        Yields:
            The tensor that the model uses for each parameter, with regard to which gradients are taken.
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
