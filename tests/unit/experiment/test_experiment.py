from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.training import params

from lib.experiment.experiment import Experiment, TrialPruned
from lib.schemas.document import versions
from lib.training import engine


def test_a_run_is_trained_once_and_replayed_to_the_pruner(experiment, monkeypatch) -> None:
    split = experiment.splits.development(0)
    first = experiment.run(params(), split, epochs=2)
    assert first.objective == "F1-macro (natural prevalence)"
    monkeypatch.setattr("lib.experiment.experiment.train", lambda *_, **__: pytest.fail("trained again"))
    seen: list[tuple[int, float]] = []
    again = experiment.run(params(), split, epochs=2, on_epoch=lambda *report: bool(seen.append(report)))
    assert again == first and [epoch for epoch, _ in seen] == [entry["epoch"] for entry in first.history]
    with pytest.raises(TrialPruned) as pruned:
        experiment.run(params(), split, epochs=2, on_epoch=lambda *_: True)
    assert pruned.value.result.history == first.history[:1]
    assert pruned.value.result.scores["objective"] == first.history[0]["objective"]


def test_a_killed_run_goes_on_from_its_last_epoch_and_leaves_nothing_behind(experiment, monkeypatch) -> None:
    split, point = experiment.splits.development(0), params(**{"head.dropout": 0.1})
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


def test_the_test_set_never_reaches_an_experiment(experiment) -> None:
    import pandas as pd

    splits = pd.read_parquet("results/corpus/splits.parquet")
    test = set(splits.query("part == 'test'")["post_id"])
    assert test and not test & set(experiment.examples.post_id) and not test & set(experiment.development.texts)


def test_a_run_is_not_reused_with_other_packages_on_another_device_or_compiled(
    experiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, split = experiment.settings, experiment.splits.development(0)
    keys = [experiment._key(params(), split, 2)]

    def another() -> str:
        return Experiment(settings, "criteria", experiment.results)._key(params(), split, 2)

    assert another() == keys[0]
    device = experiment.device
    for other in (replace(device, torch=torch.device("meta")), replace(device, compile=True)):
        with monkeypatch.context() as patched:
            patched.setattr("lib.experiment.experiment.choose_device", lambda _, other=other: other)
            keys.append(another())
    for package, changes in (("torch", True), ("snakemake", False)):
        with monkeypatch.context() as patched:
            found = {**versions(), package: "9.9"}
            patched.setattr("lib.schemas.document._package_versions", lambda found=found: found)
            assert (another() != keys[0]) == changes
    assert len(set(keys)) == 3
