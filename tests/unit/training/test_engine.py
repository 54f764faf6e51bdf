from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from support.training import CPU, model_and_data, params, without_dropout

from lib.devices import device as devices
from lib.metrics.objective import Objective
from lib.settings.config import TrainingSettings
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import WeightedSample
from lib.training.data import TrainingData, TrainingFailure
from lib.training.engine import TrainingOptions, train
from lib.training.gradients import Gradients
from lib.training.inference import predict_logits

ANNOTATED = Objective(metric="f1_yes_no", population="annotated")


def balanced(training_data: TrainingData, n: int) -> np.ndarray:
    """Return annotated training examples, half of them positive."""
    known = training_data.train[training_data.examples.annotated[training_data.train]]
    label = training_data.examples.label[known]
    return np.concatenate([known[label == value][: n // 2] for value in (0, 1)])


@pytest.mark.slow
def test_a_model_overfits_a_few_examples(experiment) -> None:
    hyper = Hyperparameters.of(params(**{"optim.lr": 3e-3}))
    model, training_data = model_and_data(experiment, hyper)
    few = np.sort(balanced(training_data, 32))
    data = replace(training_data, train=few, validation=WeightedSample.uniform(few), objective=ANNOTATED)
    outcome = train(model, data, CPU, TrainingOptions(epochs=60, patience=60), seed=0)
    assert outcome.scores["annotated"]["f1_yes_no"] >= 0.95


def test_the_best_epoch_is_kept_and_patience_stops(experiment) -> None:
    hyper = Hyperparameters.of(params())
    model, training_data = model_and_data(experiment, hyper)
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=30, patience=2, keep_best=True), seed=0)
    best = max(entry["objective"] for entry in outcome.history)
    assert outcome.scores["objective"] == best == outcome.history[outcome.best_epoch - 1]["objective"]
    agent, examples, sample = training_data.agent, training_data.examples, training_data.validation
    logits = predict_logits(model, agent, training_data.features, sample.index, training_data.hyper, CPU)
    values = agent.cross_fit(logits, examples, sample, hyper)
    again = agent.scores(logits, values, examples, sample, hyper)
    assert outcome.scores == {**again, "objective": best, "calibration_error": 1 - again["brier_skill"]}
    rules = {name: rule.dump() for name, rule in agent.fit_rules(logits, examples, sample, hyper).items()}
    assert outcome.rules == rules
    assert outcome.stopped in {"patience", "collapsed"} and len(outcome.history) < 30


def test_an_epoch_is_judged_by_its_best_null_policy(experiment) -> None:
    hyper, found = Hyperparameters.of(params()), {}
    for policies in (("none",), ("threshold",), ("none", "threshold")):
        model, training_data = model_and_data(experiment, hyper)
        data = replace(training_data, policies=policies)
        found[policies] = train(model, data, CPU, TrainingOptions(epochs=3, patience=3), seed=0)
    none, threshold, both = found.values()
    for alone, policy in ((none, "none"), (threshold, "threshold")):
        own = [{"objective": e["objective"], "calibration_error": e["calibration_error"]} for e in alone.history]
        assert alone.policy == policy and [epoch["by_policy"][policy] for epoch in both.history] == own
    best = max(none, threshold, key=lambda result: result.scores["objective"])
    assert none.scores["objective"] != threshold.scores["objective"]
    assert (both.policy, both.scores, both.rules) == (best.policy, best.scores, best.rules)


def test_a_collapsed_model_stops_early(experiment) -> None:
    hyper = Hyperparameters.of(params(**{"optim.lr": 1e-9}))
    model, training_data = model_and_data(experiment, hyper)
    with torch.no_grad():
        model.label_head[-1].weight.zero_()
        model.label_head[-1].bias.copy_(torch.tensor([5.0, -5.0]))
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=10, patience=2), seed=0)
    assert outcome.stopped == "collapsed" and len(outcome.history) == 4


@pytest.mark.parametrize(("warmup", "epochs"), [(0.0, 3), (0.5, 8)])
def test_patience_counts_from_the_end_of_the_warm_up(experiment, monkeypatch, warmup: float, epochs: int) -> None:
    hyper = Hyperparameters.of(params(**{"schedule.name": "linear", "schedule.warmup": warmup}))
    model, training_data = model_and_data(experiment, hyper)
    # Every epoch after the first is worse.
    objectives = iter(range(100, 0, -1))
    real = training_data.objective.added_to
    monkeypatch.setattr(
        "lib.metrics.objective.Objective.added_to", lambda _, scores: real(scores) | {"objective": next(objectives)}
    )
    monkeypatch.setattr(type(training_data.agent), "collapsed", lambda *_: False)
    outcome = train(model, training_data, CPU, TrainingOptions(epochs=12, patience=2), seed=0)
    assert outcome.stopped == "patience" and len(outcome.history) == epochs


def test_a_non_finite_loss_and_lack_of_memory_fail_with_their_reason(experiment, monkeypatch) -> None:
    hyper = Hyperparameters.of(params())
    model, training_data = model_and_data(experiment, hyper)
    with torch.no_grad():
        model.label_head[-1].weight.fill_(float("nan"))
    with pytest.raises(TrainingFailure, match="the loss is not finite"):
        train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)

    model, training_data = model_and_data(experiment, hyper)
    compute, steps = Gradients.compute, []

    def diverge_at_the_last_step(self: Gradients, batches: object, seed: int, following: object) -> torch.Tensor:
        loss = compute(self, batches, seed, following)
        if following is None:
            steps.append(loss.item())
            self.weights.parameters[-1].grad.fill_(float("inf"))
        return loss

    with monkeypatch.context() as patched:
        patched.setattr(Gradients, "compute", diverge_at_the_last_step)
        with pytest.raises(TrainingFailure, match="a gradient is not finite"):
            train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)
    assert len(steps) == 1 and np.isfinite(steps[0])

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError

    with monkeypatch.context() as patched:
        patched.setattr(model, "forward", full)
        with pytest.raises(TrainingFailure, match=r"out of memory: a window of \d+ tokens does not fit"):
            train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)
        with pytest.raises(TrainingFailure, match=r"out of memory: a window of \d+ tokens does not fit"):
            predict_logits(
                model, training_data.agent, training_data.features, training_data.train, training_data.hyper, CPU
            )
    monkeypatch.setattr(torch.optim.AdamW, "step", full)
    model, training_data = model_and_data(experiment, hyper)
    with pytest.raises(TrainingFailure, match="the model and the optimizer's state do not fit"):
        train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)


@pytest.mark.slow
def test_a_compiled_model_gives_the_losses_of_an_uncompiled_one(experiment, monkeypatch) -> None:
    # The graphs are captured and run. Writing them as C++, which is torch's part, would take a minute.
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    losses = []
    for compiled in (False, True):
        model, training_data = model_and_data(experiment, Hyperparameters.of(params(**{"optim.batch_size": 64})))
        without_dropout(model)
        del model.encoder.encoder.layer[1:]  # compiling takes long, and one layer is enough for the comparison
        nothing = WeightedSample.uniform(training_data.train[:0])  # so no other graph is compiled for the validation
        training_data = replace(training_data, validation=nothing)
        device = replace(CPU, compile=compiled)
        history = train(model, training_data, device, TrainingOptions(epochs=2, patience=2), seed=0).history
        losses.append([epoch["loss"] for epoch in history])
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_training_on_a_gpu(experiment) -> None:
    hyper = Hyperparameters.of(params())
    model, training_data = model_and_data(experiment, hyper)
    device = devices.choose_device(TrainingSettings(device="cuda"))
    training_data = replace(training_data, features=training_data.features.to(device.torch))
    outcome = train(model, training_data, device, TrainingOptions(epochs=1, patience=1), seed=0)
    assert outcome.performance["peak_memory_mb"] > 0
