"""What a model says of examples."""

import numpy as np
import torch
from torch import Tensor, nn

from lib.agents.base import Reading
from lib.tasks.base import Index
from lib.training.batches import evaluation_batches
from lib.training.device import Device
from lib.training.lesson import Lesson, TrainingFailure
from lib.training.memory import out_of_memory
from lib.training.process import side_by_side

_TOKENS = 8_192


def predict(model: nn.Module, lesson: Lesson, index: Index, device: Device) -> Reading:
    """Return the reading of examples[index].

    Windows are reduced to a few rows batch by batch: memory does not grow with the length of a text. Batches that do
    not fit are halved. Raises TrainingFailure where a single window does not fit.
    """
    model.eval()
    features = lesson.features
    windows = features.windows(index)
    shapes = features.shapes[windows]
    budget = _TOKENS

    @torch.inference_mode()
    def read(positions: Index) -> dict[str, Tensor]:
        inputs, targets, batch = features.batch(windows[positions])
        with torch.autocast(device.torch.type, dtype=torch.bfloat16, enabled=device.bf16):
            outputs = model(*inputs)
        return lesson.agent.read(outputs, targets, batch, lesson.hyper)

    while True:
        order = list(evaluation_batches(shapes, budget))
        try:
            parts = side_by_side(read, order, parallel=device.parallel)
            break
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            longest = int(shapes.sum(axis=1).max())
            if budget < longest:
                raise TrainingFailure(f"out of memory: a window of {longest} tokens does not fit") from error
        budget //= 2
    back = np.argsort(np.concatenate(order), kind="stable")
    rows = {name: torch.cat([part[name] for part in parts]).cpu().numpy()[back] for name in parts[0]}
    return lesson.agent.gather(rows, features.tokens[0], windows, index)
