import time
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import params as lowest
from conftest import tiny_settings
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from lib.cli.main import main
from lib.errors import UserError
from lib.modeling.tokens import check_criteria_fit, tokenize
from lib.search.experiment import Experiment, PrunedError
from lib.settings.config import Architecture, TrainingSettings
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings, save_settings
from lib.training import device as devices
from lib.training import engine
from lib.training.batches import evaluation_batches, training_batches
from lib.training.device import Device
from lib.training.engine import train
from lib.training.lesson import Lesson, TrainingFailure
from lib.training.memory import MicroBatches
from lib.training.precision import Weights
from lib.training.prediction import predict
from lib.training.process import side_by_side

CPU = Device(torch.device("cpu"), bf16=False)


def params(**more: object) -> dict:
    return lowest(**{"optim.lr": 1e-3, "head.dropout": 0.0, "model.pooling": "mean"} | more)


def parts(experiment: Experiment, hyper: Hyperparameters) -> tuple[nn.Module, Lesson]:
    torch.manual_seed(0)
    model, features = experiment.model(hyper)
    split = experiment.development_split(0)
    return model, Lesson(experiment.agent, experiment.examples, features, hyper, split.train, split.stop)


def fetch_tiny(architecture: str) -> str:
    name = f"tiny-{architecture.removesuffix('-v2')}"
    save_settings(tiny_settings(constraints={"model.backbone": {"choices": [name]}}), "results/settings.json")
    assert main(["backbone", name]) == 0
    return name


def without_dropout(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        if hasattr(module, "dropout_prob"):  # of the attention, given to SDPA
            module.dropout_prob = 0.0


@given(
    lengths=st.lists(st.integers(1, 200), min_size=1, max_size=80), size=st.integers(1, 20), seed=st.integers(0, 9)
)
def test_every_example_is_in_one_batch(lengths: list[int], size: int, seed: int) -> None:
    index = np.arange(len(lengths)) + 7
    batches = training_batches(index, np.array(lengths), size, np.random.default_rng(seed))
    assert sorted(np.concatenate(batches).tolist()) == index.tolist()
    assert max(map(len, batches)) <= size
    pairs = np.stack([np.array(lengths) % 3 + 1, lengths], axis=1)
    packed = list(evaluation_batches(pairs, 256))
    assert sorted(np.concatenate(packed).tolist()) == list(range(len(lengths)))
    assert all(len(b) == 1 or pairs[b].sum() <= 256 for b in packed)
    assert all((pairs[b] == pairs[b[0]]).all() for b in packed)


def test_batches_are_of_similar_length() -> None:
    lengths = np.random.default_rng(0).integers(5, 100, 400)
    batches = training_batches(np.arange(400), lengths, 16, np.random.default_rng(1))
    padded = sum(len(b) * lengths[b].max() for b in batches)
    assert padded < 1.25 * lengths.sum()


@pytest.mark.parametrize("architecture", ["bert", "convbert", "xlnet"])
def test_predictions_do_not_depend_on_what_else_is_in_a_batch(experiment, architecture: str) -> None:
    name = fetch_tiny(architecture)
    model, lesson = parts(experiment, Hyperparameters.of(params(**{"model.backbone": name})))
    some = lesson.stop[:12]
    together = predict(model, lesson, lesson.stop, CPU)["label"][:12]
    alone = [predict(model, lesson, some[i : i + 1], CPU)["label"][0] for i in range(12)]
    assert np.allclose(together, alone, rtol=0, atol=1e-6)


def test_accumulated_batches_are_one_large_batch(experiment) -> None:
    """Two batches of 8 give the weights that one of 16 gives, but for rounding."""
    results = []
    for size, accumulation in ((16, 1), (8, 2)):
        hyper = Hyperparameters.of(params(**{"optim.batch_size": size, "optim.accumulation": accumulation}))
        model, lesson = parts(experiment, hyper)
        without_dropout(model)
        train(model, replace(lesson, train=lesson.train[:16]), CPU, epochs=1, patience=1, seed=3)
        results.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    # Adam turns rounding in near-zero gradients into steps, hence the mean and not the largest difference.
    assert (results[0] - results[1]).abs().mean() < 1e-6


@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_two_threads_give_the_numbers_of_one(experiment, architecture: str) -> None:
    """With dropout: each part of a batch has its own noise, whichever thread works on it."""
    name = fetch_tiny(architecture)
    hyper = Hyperparameters.of(params(**{"model.backbone": name, "head.dropout": 0.3}))
    outcomes, weights = [], []
    for parallel in (False, True):
        model, lesson = parts(experiment, hyper)
        lesson, before = replace(lesson, train=lesson.train[:48]), torch.get_rng_state()
        outcomes.append(train(model, lesson, replace(CPU, parallel=parallel), epochs=2, patience=2, seed=0))
        assert torch.equal(torch.get_rng_state(), before), "something draws from the generator that threads share"
        weights.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*weights) and outcomes[0].history == outcomes[1].history


@pytest.mark.parametrize("architecture", ["bert", "albert", "xlnet"])
def test_weights_cast_once_a_step_give_autocasts_numbers(experiment, architecture: str) -> None:
    name = fetch_tiny(architecture)
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    model, lesson = parts(experiment, Hyperparameters.of(params(**{"model.backbone": name})))
    without_dropout(model)
    inputs, targets, _ = lesson.features.batch(lesson.features.windows(lesson.train)[:8])
    weights = Weights(model.train(), bf16=True)

    def gradient(used: list[torch.Tensor]) -> list[torch.Tensor | None]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = model(*inputs)
        loss = lesson.agent.loss(outputs, targets, lesson.hyper)
        return [None if g is None else g.float() for g in torch.autograd.grad(loss, used, allow_unused=True)]

    before = list(model.parameters())
    expected = gradient(weights.parameters)
    with weights.lent() as used:
        assert {tensor.dtype for tensor in used} == {torch.float32, torch.bfloat16}
        found = gradient(used)
    assert all(old is new for old, new in zip(before, model.parameters(), strict=True))
    for old, new in zip(expected, found, strict=True):
        assert (old is None) == (new is None)
        assert old is None or torch.equal(old, new)


def test_an_error_of_a_thread_is_raised_when_all_have_ended() -> None:
    ended = []

    def work(item: int) -> int:
        if item == 0:
            raise ValueError("the first")
        time.sleep(0.05)
        ended.append(item)
        return item

    with pytest.raises(ValueError, match="the first"):
        side_by_side(work, range(4), parallel=True)
    assert sorted(ended) == [1, 2, 3]
    assert side_by_side(lambda item: item * 2, range(4), parallel=True) == [0, 2, 4, 6]


def test_a_model_overfits_a_few_examples(experiment) -> None:
    hyper = Hyperparameters.of(params(**{"optim.lr": 3e-3}))
    model, lesson = parts(experiment, hyper)
    few = lesson.train[:32]
    outcome = train(model, replace(lesson, train=few, stop=few), CPU, epochs=60, patience=60, seed=0)
    assert outcome.scores["f1_macro"] >= 0.95


def test_the_best_epoch_is_kept_and_patience_stops(experiment) -> None:
    hyper = Hyperparameters.of(params())
    model, lesson = parts(experiment, hyper)
    outcome = train(model, lesson, CPU, epochs=30, patience=2, seed=0, keep_best=True)
    best = max(entry["f1_macro"] for entry in outcome.history)
    assert outcome.scores["f1_macro"] == best == outcome.history[outcome.best_epoch - 1]["f1_macro"]
    reading = predict(model, lesson, lesson.stop, CPU)
    answers = lesson.agent.answer(reading, lesson.examples, lesson.stop, hyper)
    again = lesson.agent.scores(answers, lesson.examples, lesson.stop)
    assert again == outcome.scores
    assert outcome.stopped in {"patience", "collapsed"} and len(outcome.history) < 30


def test_a_collapsed_model_stops_early(experiment) -> None:
    hyper = Hyperparameters.of(params(**{"optim.lr": 1e-9}))
    model, lesson = parts(experiment, hyper)
    with torch.no_grad():
        model.label_head[-1].bias.copy_(torch.tensor([5.0, -5.0]))
    outcome = train(model, lesson, CPU, epochs=10, patience=2, seed=0)
    assert outcome.stopped == "collapsed" and len(outcome.history) == 4


def test_a_loss_that_is_not_finite_and_lack_of_memory_fail_with_their_reason(experiment, monkeypatch) -> None:
    hyper = Hyperparameters.of(params())
    model, lesson = parts(experiment, hyper)
    with torch.no_grad():
        model.label_head[-1].weight.fill_(float("nan"))
    with pytest.raises(TrainingFailure, match="the loss is not finite"):
        train(model, lesson, CPU, epochs=1, patience=1, seed=0)

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patched:
        patched.setattr(model, "forward", full)
        with pytest.raises(TrainingFailure, match=r"out of memory: a window of \d+ tokens does not fit"):
            train(model, lesson, CPU, epochs=1, patience=1, seed=0)
        with pytest.raises(TrainingFailure, match=r"out of memory: a window of \d+ tokens does not fit"):
            predict(model, lesson, lesson.stop, CPU)
    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    model, lesson = parts(experiment, hyper)
    with pytest.raises(TrainingFailure, match="the model and the optimizer's state do not fit"):
        train(model, lesson, CPU, epochs=1, patience=1, seed=0)


@pytest.mark.parametrize("size", [16, 64])
def test_a_batch_that_does_not_fit_is_halved_and_gives_the_same_numbers(experiment, monkeypatch, size: int) -> None:
    hyper = Hyperparameters.of(params(**{"optim.batch_size": size}))
    weights, sizes = [], []
    for most in (10**9, 300, 300):
        model, lesson = parts(experiment, hyper)
        without_dropout(model)
        whole, failed = model.forward, []

        def forward(inputs, whole=whole, failed=failed, most=most):
            sizes.append(inputs["input_ids"].numel())
            if sizes[-1] > most and torch.is_grad_enabled():
                failed.append(sizes[-1])
                raise torch.OutOfMemoryError
            return whole(inputs)

        monkeypatch.setattr(model, "forward", forward)
        memory = MicroBatches(Path("cache/micro_batches.json"), "cpu", "tiny-bert", hyper.max_length)
        history = train(model, lesson, CPU, epochs=1, patience=1, seed=3, memory=memory).history
        weights.append((torch.cat([p.detach().flatten() for p in model.parameters()]), history[0]["loss"], failed))
    (whole_weights, whole_loss, _), (parted, parted_loss, failed), (again, _, remembered) = weights
    assert failed and not remembered, "what fits is found once"
    assert (whole_weights - parted).abs().mean() < 1e-6 and whole_loss == pytest.approx(parted_loss, rel=1e-5)
    assert (again - parted).abs().mean() < 1e-6
    other = MicroBatches(Path("cache/micro_batches.json"), "cpu", "tiny-bert", 512)
    assert len(list(other.parts(np.arange(64), np.full(64, 60)))) == 1


def test_the_criterion_is_never_truncated(experiment) -> None:
    tokenizer = experiment.backbones.tokenizer("tiny-bert")
    examples = experiment.examples
    limit = 24
    options = {"max_length": limit, "overlap": None, "fingerprint": "f", "cache": Path("cache")}
    tokens = tokenize(tokenizer, examples.first, examples.second, **options)
    assert tokens.lengths.max() == limit
    for i in range(0, len(examples), 7):
        ids = tokens.vocabulary[tokens.ids[tokens.offsets[i] : tokens.offsets[i + 1]]].tolist()
        whole = tokenizer(examples.first[i])["input_ids"]
        assert ids[: len(whole)] == whole
    criteria = experiment.development.criteria
    check_criteria_fit(tokenizer, criteria, 64, "tiny-bert")
    with pytest.raises(UserError, match=r"criterion '.*' needs .* tokens of backbone 'tiny-bert'"):
        check_criteria_fit(tokenizer, criteria, 12, "tiny-bert")


def test_a_run_is_trained_once_and_replayed_to_the_pruner(experiment, monkeypatch) -> None:
    split = experiment.development_split(0)
    first = experiment.run(params(), split, epochs=2)
    monkeypatch.setattr("lib.search.experiment.train", lambda *_, **__: pytest.fail("trained again"))
    seen: list[tuple[int, float]] = []
    again = experiment.run(params(), split, epochs=2, on_epoch=lambda *told: bool(seen.append(told)))
    assert again == first and [epoch for epoch, _ in seen] == [entry["epoch"] for entry in first.history]
    with pytest.raises(PrunedError) as pruned:
        experiment.run(params(), split, epochs=2, on_epoch=lambda *_: True)
    assert pruned.value.outcome.history == first.history[:1]
    assert pruned.value.outcome.scores["f1_macro"] == first.history[0]["f1_macro"]


def test_a_killed_run_goes_on_from_its_last_epoch_and_leaves_nothing_behind(experiment, monkeypatch) -> None:
    split, point = experiment.development_split(0), params(**{"head.dropout": 0.1})
    epochs_learnt: list[int] = []
    learn = engine._Training._learn
    monkeypatch.setattr(engine._Training, "_learn", lambda its, e: epochs_learnt.append(e) or learn(its, e))

    def killed(epoch: int, best: float) -> bool:
        if epoch == 2:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        experiment.run(point, split, epochs=3, on_epoch=killed)
    folder = Path("results/cache/checkpoints")
    assert len(list(folder.iterdir())) == 1
    resumed = experiment.run(point, split, epochs=3)
    assert epochs_learnt == [1, 2, 2, 3] and not list(folder.iterdir())
    next(Path("results/criteria/runs").glob(f"{resumed.key}.json")).unlink()
    assert experiment.run(point, split, epochs=3).history == resumed.history


@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_a_damaged_checkpoint_is_not_used(experiment, monkeypatch, caplog, damage: str) -> None:
    split, point = experiment.development_split(0), params()
    whole = experiment.run(point, split, epochs=2)
    next(Path("results/criteria/runs").glob(f"{whole.key}.json")).unlink()

    def killed(epoch: int, best: float) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        experiment.run(point, split, epochs=2, on_epoch=lambda epoch, best: epoch == 2 and killed(epoch, best))
    (checkpoint,) = Path("results/cache/checkpoints").iterdir()
    content = bytearray(checkpoint.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64 if content[middle : middle + 64] != bytes(64) else [1] * 64)
    checkpoint.write_bytes(content[:middle] if damage == "cut" else content)
    assert experiment.run(point, split, epochs=2).history == whole.history
    assert "is damaged: this training begins anew" in caplog.text


def test_development_and_folds_share_no_post(experiment) -> None:
    posts = np.array(experiment.examples.post_id)
    held_out = []
    for number in range(4):
        fold = experiment.fold(number, 2)
        groups = [set(posts[part]) for part in (fold.train, fold.stop, fold.held_out)]
        assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
        assert sum(map(len, (fold.train, fold.stop, fold.held_out))) == len(posts)
        held_out.append(set(fold.held_out.tolist()))
    assert not held_out[0] & held_out[1] and held_out[0] != held_out[2]
    split = experiment.development_split(1)
    assert not set(posts[split.train]) & set(posts[split.stop])


def test_the_test_set_never_reaches_an_experiment(experiment) -> None:
    import pandas as pd

    splits = pd.read_parquet("results/corpus/splits.parquet")
    test = set(splits.query("part == 'test'")["post_id"])
    assert test and not test & set(experiment.examples.post_id) and not test & set(experiment.development.texts)


def test_a_compiled_model_gives_the_losses_of_one_that_is_not(experiment) -> None:
    losses = []
    for compiled in (False, True):
        model, lesson = parts(experiment, Hyperparameters.of(params(**{"optim.batch_size": 64})))
        without_dropout(model)
        device = replace(CPU, compile=compiled)
        history = train(model, lesson, device, epochs=2, patience=2, seed=0).history
        losses.append([epoch["loss"] for epoch in history])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_devices_by_name(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match="torch sees no CUDA device"):
        devices.choose(TrainingSettings(device="cuda"))
    assert str(devices.choose(TrainingSettings(precision="bf16"))) == "cpu bf16"
    monkeypatch.setattr(devices, "_cpu_bf16", lambda: False)
    assert str(devices.choose(TrainingSettings())) == "cpu fp32"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: True)
    chosen = devices.choose(TrainingSettings())
    assert str(chosen) == "cuda bf16"
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 2**21)
    assert devices.peak_memory_mb(chosen) == 2.0
    assert devices.peak_memory_mb(CPU) > 50


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu(experiment) -> None:
    hyper = Hyperparameters.of(params())
    model, lesson = parts(experiment, hyper)
    device = devices.choose(TrainingSettings(device="cuda"))
    lesson = replace(lesson, features=lesson.features.to(device.torch))
    outcome = train(model, lesson, device, epochs=1, patience=1, seed=0)
    assert outcome.performance["peak_memory_mb"] > 0
