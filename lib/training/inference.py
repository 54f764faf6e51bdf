"""Compute a model's logits for examples."""

import numpy as np
import torch
from torch import Tensor, nn

from lib.agents.agent import Agent, Features, Logits
from lib.devices.device import Device
from lib.devices.process import run_parallel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.task import Index
from lib.training.batches import evaluation_batches
from lib.training.data import TrainingFailure
from lib.training.memory import out_of_memory, window_does_not_fit

# The tokens of a batch, until one does not fit.
_TOKENS = 8_192


def predict_logits(
    model: nn.Module, agent: Agent, features: Features, index: Index, hyper: Hyperparameters, device: Device
) -> Logits:
    """Return the logits of some examples.

    Each batch of windows is reduced to a few rows at once, so memory does not grow with the length of a text. If a
    batch does not fit into memory, all batches are halved.

    Args:
        model: The model, on the device; it stays in evaluation mode afterwards.
        agent: The agent whose tasks the model is trained for.
        features: Features of all examples, on the device.
        index: (n,) the examples.
        hyper: Gives the greatest number of tokens of an answer.
        device: The device and precision.

    Returns:
        The logits of the n examples by task.

    Raises:
        TrainingFailure: A single window does not fit into memory, or the model gives no numbers.
    """
    model.eval()
    windows = features.windows(index)
    shapes = features.token_counts[windows]
    budget = _TOKENS

    @torch.inference_mode()
    def forward(positions: Index) -> dict[str, Tensor]:
        inputs, targets, batch = features.batch(windows[positions])
        with device.autocast():
            outputs = model(*inputs)
        return agent.window_logits(outputs, targets, batch, hyper)

    while True:
        order = list(evaluation_batches(shapes, budget))
        try:
            parts = run_parallel(forward, order, parallel=device.parallel)
            break
        except RuntimeError as error:
            if not out_of_memory(error):
                raise
            longest = int(shapes.sum(axis=1).max())
            if budget < longest:
                raise window_does_not_fit(longest) from error
        budget //= 2
    back = np.argsort(np.concatenate(order), kind="stable")
    rows = {name: torch.cat([part[name] for part in parts]).cpu().numpy()[back] for name in parts[0]}
    # Spans may be missing, which is −∞.
    if any(np.isnan(values).any() for values in rows.values()):
        raise TrainingFailure("the model's outputs are not numbers")
    return agent.combine_windows(rows, features.tokens[0], windows, index)
