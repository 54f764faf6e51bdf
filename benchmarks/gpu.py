"""Measure how well the engine uses a GPU, with full-size encoders of random weights on random tokens.

The first table has steps/s, tokens/s, utilisation, the share of the measured matrix rate, and peak memory for each
architecture, batch size and length. Then trials/hour follow for the production budget of Stage A on a corpus of
ReDSM5's size, without pruning. The benchmark needs only torch, transformers, numpy and scikit-learn.
"""

import argparse
import time
from typing import Any

import numpy as np
import torch

from lib.agents.agent import Features
from lib.agents.criteria import AGENT
from lib.devices.device import Device, peak_memory_mb
from lib.metrics.objective import Objective
from lib.modeling.random_init import random_encoder
from lib.modeling.tokens import SpecialTokens, Tokens
from lib.settings.hyperparameters import NAMES, Hyperparameters
from lib.tasks.examples import Examples, WeightedSample, make_targets
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train

ARCHITECTURES = ("bert", "deberta-v2", "xlnet")
VOCABULARY = 15_000
# Of ReDSM5: the sentence pairs that Stage A trains on, and the mean tokens of a pair of criterion and sentence.
PAIRS, MEAN_LENGTH = 2_900, 60
EPOCHS, SEEDS = 20, 3  # config/supermax.yaml, stage_a
FIXED: dict[str, Any] = dict.fromkeys(NAMES, 0.0) | {
    "loss.positive_weight": 1.0,
    "model.backbone": "random",
    "model.pooling": "mean",
    "model.gradient_checkpointing": False,
    "head.layers": 1,
    "head.hidden": 64,
    "head.activation": "gelu",
    "head.dropout": 0.1,
    "data.max_length": 512,
    "optim.name": "adamw",
    "optim.lr": 1e-5,
    "optim.head_lr_factor": 1.0,
    "optim.layer_decay": 1.0,
    "optim.batch_size": 32,
    "optim.accumulation": 1,
    "optim.clip_norm": 1.0,
    "schedule.name": "linear",
    "span.max_answer": 64,
    "null_policy.name": "none",
    "joint.backbone": "random",
    "joint.fusion": "add",
    "aug.enabled": False,
    "aug.ops_per_sample": 1,
    "aug.max_replace": 0.1,
    "aug.antonym_guard": "off",
    "aug.strategy": "all",
}


def training_data(lengths: np.ndarray, hyper: Hyperparameters, device: Device) -> TrainingData:
    """Return the training data of annotated pairs with random tokens, half of them positive.

    Args:
        lengths: (n,) the tokens of each pair.
        hyper: The hyper-parameters.
        device: The device for the features.

    Returns:
        All pairs for training, and the first eight for validation.
    """
    rng, n = np.random.default_rng(0), len(lengths)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = rng.integers(3, VOCABULARY, offsets[-1])
    ids[offsets[:-1]] = 1  # cls
    nowhere = np.full(len(ids), -1, dtype=np.int32)
    tokens = Tokens(
        ids=torch.from_numpy(ids),
        types=None,
        offsets=offsets,
        pair=np.arange(n),
        start=nowhere,
        end=nowhere,
        vocabulary=np.arange(VOCABULARY),
        pad_token_id=0,
        special=SpecialTokens(cls=1, sep=2),
        pad_left=False,
    )
    label, names = np.arange(n) % 2, [str(i) for i in range(n)]
    examples = Examples(
        criterion_text=names,
        text=names,
        label=label,
        gold_spans=[[]] * n,
        criterion=["C"] * n,
        post_id=names,
        group=np.arange(n),
        annotated=np.ones(n, dtype=bool),
        natural=np.zeros(n, dtype=bool),
        counted=np.ones(n, dtype=bool),
        ids=names,
    )
    features = Features((tokens,), make_targets(tokens, label, examples.gold_spans)).to(device.torch)
    objective = Objective(metric="f1_yes_no", population="annotated")
    return TrainingData(
        AGENT,
        examples,
        features,
        hyper,
        np.arange(n),
        WeightedSample.uniform(np.arange(min(n, 8))),
        objective,
    )


def measure_encoder(architecture: str, size: Any, lengths: np.ndarray, batch: int, device: Device) -> dict[str, Any]:
    """Train an encoder for three epochs, and return the figures of the second and third.

    Args:
        architecture: transformers' model type.
        size: 'tiny' or 'base'.
        lengths: (n,) the tokens of each pair.
        batch: The batch size.
        device: The device and precision.

    Returns:
        `steps` and `tokens` per second, `flops` in FLOP/s, `utilisation` as text, peak `memory` in MiB, `seconds` per
        epoch, and the `losses` of the three epochs.
    """
    hyper = Hyperparameters.of(FIXED | {"optim.batch_size": batch})
    about = training_data(lengths, hyper, device)
    encoder = random_encoder(architecture, size, VOCABULARY, (0, 1, 2), 0)  # type: ignore[arg-type]
    model = AGENT.model([encoder], [about.features.tokens[0].special], hyper)
    if device.torch.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    times: list[float] = []

    def tick(*_: object) -> bool:
        if device.torch.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter())
        return False

    outcome = train(model, about, device, TrainingOptions(epochs=3, patience=3, on_epoch=tick), seed=0)
    seconds = (times[-1] - times[0]) / 2
    matrices = sum(p.numel() for n, p in encoder.named_parameters() if "layer" in n and p.ndim > 1)
    config = encoder.config
    attention = 12 * config.num_hidden_layers * config.hidden_size * float((lengths.astype(float) ** 2).sum())
    return {
        "steps": -(-len(lengths) // batch) / seconds,
        "tokens": lengths.sum() / seconds,
        "flops": (6 * matrices * lengths.sum() + attention) / seconds,
        "utilisation": f"{outcome.performance['gpu_percent']:.0f} %" if "gpu_percent" in outcome.performance else "-",
        "memory": peak_memory_mb(device),
        "seconds": seconds,
        "losses": [epoch["loss"] for epoch in outcome.history],
    }


def peak_matrix_rate(device: Device) -> float:
    """Return the device's measured rate of large matrix products, in FLOP/s."""
    n = 8192 if device.torch.type == "cuda" else 1024
    left = torch.randn(n, n, device=device.torch, dtype=torch.bfloat16 if device.bf16 else torch.float32)
    best = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        product = left @ left
        float(product[0, 0])  # waits for the product
        best = min(best, time.perf_counter() - began)
    return 2 * n**3 / best


def run() -> None:
    """Measure, and print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--size", choices=["base", "tiny"], default="base")
    parser.add_argument("--steps", type=int, default=40, help="steps per epoch")
    parser.add_argument("--lengths", type=int, nargs="+", default=[128, 512], help="tokens of a pair")
    parser.add_argument("--compile", action="store_true", help="with training.compile")
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch sees no CUDA device; try the script without one by --device cpu --size tiny")
    cuda = options.device == "cuda"
    device = Device(torch.device(options.device), bf16=cuda, compile=options.compile)
    rate = peak_matrix_rate(device)
    print(f"{device.model}, matrix products at {rate / 1e12:.2f} TFLOP/s, torch {torch.__version__}\n")
    print("| model | batch | length | steps/s | tokens/s | utilisation | of the matrix rate | peak MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for architecture in ARCHITECTURES:
        for batch, length in ((b, n) for b in (32, 64) for n in options.lengths):
            lengths = np.full(batch * options.steps, length)
            found = measure_encoder(architecture, options.size, lengths, batch, device)
            print(
                f"| {architecture} | {batch} | {length} | {found['steps']:.1f} | {found['tokens']:,.0f} |"
                f" {found['utilisation']} | {found['flops'] / rate:.0%} | {found['memory']:,.0f} |",
                flush=True,
            )
    rng = np.random.default_rng(0)
    pairs = PAIRS if cuda else 64
    lengths = np.clip(rng.gamma(4, MEAN_LENGTH / 4, pairs).astype(int), 8, 512)
    for architecture in ARCHITECTURES:
        epoch = measure_encoder(architecture, options.size, lengths, 32, device)["seconds"]
        print(f"{architecture}: {3600 / (epoch * EPOCHS * SEEDS):.0f} trials/hour ({EPOCHS} epochs, {SEEDS} seeds)")


if __name__ == "__main__":
    run()
