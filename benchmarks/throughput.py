"""Compare the speed of the engine with other ways to train the same model on the same pairs.

The ways are (a) a plain AdamW loop in fp32 with every pair padded to the maximum length, (b) the Hugging Face Trainer
with its defaults, (c) the Trainer with bf16 and group_by_length, (d) this engine, and a lean loop of an expert with
bf16, batches of similar length and fused AdamW. Each way runs in a process of its own, and all train on the same
annotated pairs. Tokenising is not timed.

--f1 compares F1 instead, to show whether speed costs quality. The engine and a textbook loop train the same model
from the same weights; the textbook loop uses fp32, random batches and torch's own dropout.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import ANNOTATED_ONLY, FIXED, NO_VALIDATION, ROOT, prepare_project

from lib.devices.device import Device
from lib.devices.process import keep_freed_memory, training_process
from lib.experiment.experiment import Experiment
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings
from lib.tasks.examples import WeightedSample
from lib.training.data import TrainingData
from lib.training.engine import TrainingOptions, train
from lib.training.inference import predict_logits

BATCH, LENGTH, RATE = 32, 256, 2e-4
# A short training is stable at these values. Without them seeds differ more than ways.
F1_RATE, F1_WARMUP = 1e-4, 0.1
WAYS = {
    "a": "padded to the maximum, fp32, plain loop",
    "b": "Hugging Face Trainer, defaults",
    "c": "Hugging Face Trainer, bf16, group_by_length",
    "lean": "a lean loop",
    "d": "this engine",
}
TEXTBOOK = {"textbook": "the same model, fp32, random batches"}
PARAMS = FIXED | {"data.max_length": LENGTH, "optim.lr": RATE, "optim.batch_size": BATCH}


class BenchmarkData:
    """The pairs of an agent, with the models and inputs that each way needs."""

    def __init__(self, agent: str, n: int, threads: int, more: dict[str, Any]) -> None:
        """Draw the pairs.

        Args:
            agent: The agent's name.
            n: Number of pairs to train on; up to 1,000 others are for the test.
            threads: Threads of a training.
            more: Hyper-parameters that differ from `PARAMS`.
        """
        settings = read_settings("results/settings.json")
        training = settings.config.training.model_copy(update={"threads": threads})
        config = settings.config.model_copy(update={"training": training})
        self.experiment = Experiment(settings.model_copy(update={"config": config}), agent, Path("results"))
        self.hyper = Hyperparameters.of(PARAMS | more)
        self.spans = agent == "evidence"
        rng = np.random.default_rng(0)
        order = rng.permutation(len(self.experiment.examples))
        self.train, self.test = np.sort(order[:n]), np.sort(order[n : n + 1000])

    def model_and_features(self, seed: int) -> tuple[Any, Any]:
        """Return the engine's model, with a head of this seed, and its features."""
        torch.manual_seed(seed)
        return self.experiment.builder.model(self.hyper)

    def rows(self, index: np.ndarray) -> list[dict[str, Any]]:
        """Return the windows of pairs as rows for the Trainer, with the ids of the whole vocabulary."""
        _, features = self.model_and_features(0)
        tokens, targets = features.tokens[0], features.targets
        rows = []
        for window in tokens.windows(index):
            part = slice(tokens.offsets[window], tokens.offsets[window + 1])
            row = {
                "input_ids": tokens.vocabulary[tokens.ids[part]].tolist(),
                "attention_mask": [1] * len(tokens.ids[part]),
            }
            row["token_type_ids"] = tokens.types[part].tolist()
            if self.spans:
                row["start_positions"] = int(targets.start[part].int().argmax())
                row["end_positions"] = int(targets.end[part].int().argmax())
            else:
                row["labels"] = int(targets.label[window])
            rows.append(row)
        return rows

    def transformers_model(self, seed: int) -> Any:
        """Return transformers' own model, with a head of this seed."""
        from transformers import AutoModelForQuestionAnswering, AutoModelForSequenceClassification

        torch.manual_seed(seed)
        kind = AutoModelForQuestionAnswering if self.spans else AutoModelForSequenceClassification
        return kind.from_pretrained("results/backbones/minilm", local_files_only=True)


def plain_loop(task: BenchmarkData, epochs: int, seed: int) -> tuple[float, Any]:
    """Train transformers' model in fp32 with a plain loop and every pair padded to the maximum length.

    Args:
        task: The pairs.
        epochs: Number of epochs.
        seed: Seed of the model's head, of dropout and of the order of pairs.

    Returns:
        The seconds of the epochs, and the model.
    """
    from torch.utils.data import DataLoader
    from transformers import DataCollatorWithPadding

    rows: Any = task.rows(task.train)
    model = task.transformers_model(seed)
    collate = DataCollatorWithPadding(
        task.experiment.builder.backbones.tokenizer("minilm"), padding="max_length", max_length=LENGTH
    )
    loader: DataLoader[Any] = DataLoader(rows, BATCH, shuffle=True, collate_fn=collate)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0)
    steps = epochs * len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    model.train()
    began = time.perf_counter()
    for _ in range(epochs):
        for batch in loader:
            optimizer.zero_grad()
            model(**batch).loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return time.perf_counter() - began, model


def textbook_loop(task: BenchmarkData, epochs: int, seed: int) -> tuple[float, Any]:
    """Train the engine's model in fp32 with a plain loop and random batches.

    Args:
        task: The pairs.
        epochs: Number of epochs.
        seed: Seed of the model's head, of dropout and of the order of pairs.

    Returns:
        The seconds of the epochs, and the model with its training data.
    """
    model, features = task.model_and_features(seed)
    agent, hyper = task.experiment.agent, task.hyper
    windows, rng = features.windows(task.train), np.random.default_rng(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=hyper.lr, weight_decay=0.0)
    steps = epochs * -(-len(windows) // BATCH)
    rising = int(hyper.warmup * steps)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: step / rising if step < rising else (steps - step) / (steps - rising)
    )
    model.train()
    began = time.perf_counter()
    for _ in range(epochs):
        order = rng.permutation(windows)
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            inputs, targets = features.batch(batch)[:2]
            optimizer.zero_grad()
            (agent.loss(model(*inputs), targets, hyper) / len(batch)).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    training_data = TrainingData(agent, task.experiment.examples, features, hyper, task.train, NO_VALIDATION)
    return time.perf_counter() - began, (model, training_data)


def lean_loop(task: BenchmarkData, epochs: int, seed: int) -> tuple[float, Any]:
    """Train transformers' model with a loop that an expert writes in thirty lines.

    Args:
        task: The pairs.
        epochs: Number of epochs.
        seed: Seed of the model's head, of dropout and of the order of batches.

    Returns:
        The seconds of the epochs, and the model.
    """
    from transformers import DataCollatorWithPadding

    rows, model = sorted(task.rows(task.train), key=lambda row: len(row["input_ids"])), task.transformers_model(seed)
    collate = DataCollatorWithPadding(task.experiment.builder.backbones.tokenizer("minilm"))
    batches = [collate(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=0.0, fused=True)
    steps = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    rng = np.random.default_rng(seed)
    model.train()
    began = time.perf_counter()
    for _ in range(epochs):
        for i in rng.permutation(len(batches)):
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = model(**batches[i]).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    return time.perf_counter() - began, model


def trainer(task: BenchmarkData, epochs: int, seed: int, **options: Any) -> tuple[float, Any]:
    """Train transformers' model with the Hugging Face Trainer.

    Args:
        task: The pairs.
        epochs: Number of epochs.
        seed: Seed of the model's head and of the Trainer.
        **options: Further `TrainingArguments`.

    Returns:
        The seconds of the training, and the model.
    """
    from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

    rows, model = task.rows(task.train), task.transformers_model(seed)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            per_device_train_batch_size=BATCH,
            num_train_epochs=epochs,
            learning_rate=RATE,
            seed=seed,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=not torch.cuda.is_available(),
            **options,
        )
        collate = DataCollatorWithPadding(task.experiment.builder.backbones.tokenizer("minilm"))
        its = Trainer(model, arguments, train_dataset=rows, data_collator=collate)
        began = time.perf_counter()
        its.train()
        return time.perf_counter() - began, model


def engine(task: BenchmarkData, epochs: int, seed: int) -> tuple[float, Any]:
    """Train with this engine.

    Args:
        task: The pairs.
        epochs: Number of epochs.
        seed: Seed of the model's head and of the training.

    Returns:
        The seconds of the epochs, and the model with its training data.
    """
    model, features = task.model_and_features(seed)
    experiment = task.experiment
    keep_freed_memory()
    # Nothing is for validation, since the other ways evaluate nothing between epochs.
    training_data = TrainingData(
        experiment.agent, experiment.examples, features, task.hyper, task.train, NO_VALIDATION
    )
    began = time.perf_counter()
    with training_process(experiment.settings.config.training.threads):
        train(model, training_data, experiment.device, TrainingOptions(epochs=epochs, patience=epochs), seed=seed)
    return time.perf_counter() - began, (model, training_data)


def run_way(task: BenchmarkData, way: str, epochs: int, seed: int) -> tuple[float, Any]:
    """Train in one way.

    Args:
        task: The pairs.
        way: A key of `WAYS` or `TEXTBOOK`.
        epochs: Number of epochs.
        seed: The seed.

    Returns:
        The seconds of the training, and the model; for 'd' and 'textbook' with its training data.
    """
    if way == "d":
        return engine(task, epochs, seed)
    if way == "lean":
        return lean_loop(task, epochs, seed)
    if way == "a":
        return plain_loop(task, epochs, seed)
    if way == "textbook":
        return textbook_loop(task, epochs, seed)
    return trainer(task, epochs, seed, **({"bf16": True, "group_by_length": True} if way == "c" else {}))


def f1(task: BenchmarkData, way: str, trained: Any) -> float:
    """Score a model on the test pairs, with an answer of yes where the model finds it more probable than no.

    Args:
        task: The pairs.
        way: 'd' or 'textbook'.
        trained: The model and its training data, as `run_way` returns them.

    Returns:
        The mean F1 of yes and of no, or for spans the mean token F1 within each criterion.
    """
    model, training_data = trained
    agent, examples = training_data.agent, training_data.examples
    device = task.experiment.device if way == "d" else Device(torch.device("cpu"), bf16=False)
    logits = predict_logits(model, agent, training_data.features, task.test, task.hyper, device)
    values = agent.rule_values(agent.neutral_rules(sorted(set(examples.criterion))), examples, task.test)
    scores = agent.scores(logits, values, examples, WeightedSample.uniform(task.test), task.hyper)["annotated"]
    return float(scores["f1_macro" if task.spans else "f1_yes_no"])


def feed_forward_rate(threads: int) -> float:
    """Return the machine's rate of bf16 matrix products of the encoder's feed-forward shape, in FLOP/s."""
    torch.set_num_threads(threads)
    rows, width, inner = 4096, 384, 1536
    left, right = torch.randn(rows, width).bfloat16(), torch.randn(width, inner).bfloat16()
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        _ = left @ right
        best = min(best, time.perf_counter() - began)
    return 2 * rows * width * inner / best


def child(options: argparse.Namespace) -> None:
    """Train once in this process, and print the result as JSON."""
    more = {"optim.lr": F1_RATE, "schedule.warmup": F1_WARMUP} if options.f1 else {}
    torch.set_num_threads(options.threads)
    task = BenchmarkData(options.agent, options.pairs, options.threads, more)
    seconds, trained = run_way(task, options.child, options.epochs, options.seed)
    result: dict[str, float] = {"seconds": seconds}
    if options.f1:
        result["f1"] = f1(task, options.child, trained)
    if options.child == "d":
        features = trained[1].features
        windows = features.windows(task.train)
        tokens = int(features.lengths[windows].sum())
        layers = sum(p.numel() for n, p in trained[0].encoder.named_parameters() if ".layer." in n and p.ndim > 1)
        squares = float((features.lengths[windows].astype(float) ** 2).sum())
        attention = 12 * trained[0].encoder.config.num_hidden_layers * trained[0].encoder.config.hidden_size * squares
        result |= {"tokens": tokens, "windows": len(windows), "rate": feed_forward_rate(options.threads)}
        result["flop"] = 6 * layers * tokens + attention
    print(json.dumps(result))


def measure_way(way: str, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Train in one way in a process of its own.

    Args:
        way: A key of `WAYS` or `TEXTBOOK`.
        options: The options of the command line.
        seed: The seed.

    Returns:
        `seconds`; `f1` where asked for; for 'd' also `tokens`, `windows`, `flop` per epoch, and the matrix `rate` in
        FLOP/s.
    """
    command = [sys.executable, str(Path(__file__).resolve()), "--child", way, "--seed", str(seed)]
    for name in ("agent", "pairs", "epochs", "threads"):
        command += [f"--{name}", str(getattr(options, name))]
    path = os.pathsep.join([str(ROOT), *sys.path])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": str(options.threads)}
    done = subprocess.run(
        command + (["--f1"] if options.f1 else []), env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def report(options: argparse.Namespace) -> None:
    """Measure all ways in turn in each run, and print medians, ratios and the share of the machine's rate."""
    print(f"{options.agent}, {options.pairs} pairs, batch {BATCH}, at most {LENGTH} tokens, epochs: {options.epochs}")
    taken: dict[str, list[dict[str, float]]] = {way: [] for way in options.ways}
    for run in range(options.runs):
        for way in options.ways:
            taken[way].append(measure_way(way, options, run))
            print(f"  run {run + 1} ({way}) {taken[way][-1]}", flush=True)
    seconds = {way: statistics.median(result["seconds"] for result in results) for way, results in taken.items()}
    found: dict[str, list[float]] = {}
    for way in options.ways:
        ratio = f"({way})/(d) = {seconds[way] / seconds['d']:.2f}" if "d" in seconds else ""
        found[way] = scores = [result["f1"] for result in taken[way] if "f1" in result]
        score = ""
        if len(scores) > 1:
            score = f"F1 of yes and no (annotated pairs) {np.mean(scores):.4f} ± {np.std(scores, ddof=1):.4f}"
        print(f"({way}) {(WAYS | TEXTBOOK)[way]:45s} {seconds[way]:8.1f} s  {ratio}  {score}")
    if options.f1:
        ours, theirs = np.array(found["d"]), np.array(found["textbook"])
        error = np.sqrt((ours.var(ddof=1) + theirs.var(ddof=1)) / len(ours))
        lead = ours.mean() - theirs.mean()
        print(f"F1 of yes and no (annotated pairs), (d) - (textbook): {lead:+.4f}, standard error {error:.4f}")
    if "d" in seconds:
        last = taken["d"][-1]
        flops = last["flop"] * options.epochs / seconds["d"]
        print(
            f"(d): {last['windows']:.0f} windows, {last['tokens'] * options.epochs / seconds['d']:,.0f} tokens/s"
            f" without padding, {flops / 1e9:.0f} GFLOP/s of {last['rate'] / 1e9:.0f} ({flops / last['rate']:.0%})"
        )


def parse() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of a corpus (default: generate one)")
    parser.add_argument("--agent", choices=["criteria", "evidence"], default="criteria")
    parser.add_argument("--pairs", type=int, default=480, help="number of pairs to train on")
    parser.add_argument("--epochs", type=int, default=1, help="number of epochs")
    parser.add_argument("--runs", type=int, default=3, help="number of runs, each with its own seed")
    parser.add_argument("--threads", type=int, default=2, help="number of threads of a training")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS), help="ways to measure")
    parser.add_argument(
        "--f1",
        action="store_true",
        help="compare only the F1 of the engine and of a textbook loop, on 1,000 other pairs",
    )
    parser.add_argument("--child", choices=[*WAYS, *TEXTBOOK], help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.f1:
        options.ways = [*TEXTBOOK, "d"]
    return options


def run() -> None:
    """Prepare a project once, and measure in it."""
    options = parse()
    if options.child:
        child(options)
        return
    config = Path("config").resolve()
    corpus = str(Path(options.corpus).resolve()) if options.corpus else None
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare_project(corpus, **ANNOTATED_ONLY)
        report(options)


if __name__ == "__main__":
    run()
