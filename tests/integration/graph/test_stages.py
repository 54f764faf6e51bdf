import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.augmented import experiment
from support.checkouts import ROOT
from support.tiny import TINY, change_settings, worker_command

from lib.agents import agent_space
from lib.augmentation.bank import variants_path
from lib.cli.main import main
from lib.errors import UserError
from lib.evaluation.cross_validation import correct_for_choice
from lib.evaluation.ensemble import held_out_predictions
from lib.experiment.experiment import Experiment
from lib.schemas.evaluation import FoldResult, Race, StageCResult, read_fold
from lib.schemas.search import StageAResult, StageBResult, read_stage
from lib.search.strategies import stage_a_strategy
from lib.settings.load import Settings, read_settings, save_settings
from lib.studies.location import StudyLocation, load_trials
from lib.studies.pruners import min_trials_at_rung
from lib.training.data import DoesNotFitError, TrainingFailure
from lib.training.engine import TrainingResult


def delete_study_and_runs() -> None:
    shutil.rmtree("results/criteria/studies")
    shutil.rmtree("results/criteria/runs")


def search(stage: str) -> int:
    return main(worker_command(stage).split()) or main([f"stage-{stage}", "criteria"])


def change_limits(stage: str, **limits: object) -> Settings:
    """Change the limits of a stage in the settings file."""
    settings = read_settings("results/settings.json")
    stage_limits = getattr(settings.config, stage).model_copy(update=limits)
    changed = settings.model_copy(update={"config": settings.config.model_copy(update={stage: stage_limits})})
    save_settings(changed, "results/settings.json")
    return changed


def test_the_results_of_the_stages_are_consistent(copy_of_finished: Path) -> None:
    settings = read_settings("results/settings.json")
    a, b = (
        StageAResult.read("results/criteria/stage_a_top50.json"),
        StageBResult.read("results/criteria/stage_b_pareto.json"),
    )
    assert a.counts.complete + a.counts.pruned + a.counts.failed == TINY["stage_a"]["trials"]
    survivors = [t for t in a.trials if t.state == "COMPLETE"]
    assert all([s.seed for s in t.seeds] == [0, 1] for t in survivors)
    first_of_b = sorted(b.trials, key=lambda t: t.number)[:2]
    assert [t.params for t in first_of_b] == [t.params for t in a.trials[:2]]
    c = json.loads(Path("results/criteria/stage_c.json").read_text())
    ranked = [entry["objective"]["mean"] for entry in c["ranking"]]
    assert ranked == sorted(ranked, reverse=True) and set(c["ensemble"]["picks"]) <= {0, 1}
    allowed = [e for e in c["ranking"] if e["within_one_standard_error"]]
    assert c["choice"]["calibration_error"]["mean"] == min(e["calibration_error"]["mean"] for e in allowed)
    corrected = c["bias_corrected"]
    assert 0 <= corrected["low"] <= corrected["value"] <= corrected["high"] <= 1 and 0 <= corrected["plain"] <= 1
    assert c["provenance"]["corpus_hash"] == a.provenance.corpus_hash and c["schema_version"] == 4
    assert (
        read_stage(StageAResult, Path("results/criteria/stage_a_top50.json"), agent_space(settings.space, "criteria"))
        == a
    )
    for name in ("stage_a_top50", "stage_b_pareto", "stage_c/candidates", "stage_c/baseline", "baseline", "stage_c"):
        document = json.loads(Path(f"results/criteria/{name}.json").read_text())
        scores = (document["objective"], document["calibration"])
        assert scores == ("F1-macro (natural prevalence)", "1 − Brier skill (natural prevalence)"), name


def test_a_finished_stage_does_nothing_and_a_larger_budget_extends_it(copy_of_finished: Path, monkeypatch) -> None:
    path = Path("results/criteria/stage_a_top50.json")
    before = {run.name for run in Path("results/criteria/runs").iterdir()}
    old = StageAResult.read(path)
    assert search("a") == 0
    assert {run.name for run in Path("results/criteria/runs").iterdir()} == before
    again = StageAResult.read(path)
    assert again.trials == old.trials
    change_limits("stage_a", trials=10)
    assert search("a") == 0
    extended = StageAResult.read(path)
    kept = {t.number: t for t in extended.trials}
    assert all(kept[t.number] == t for t in old.trials)
    assert sum(extended.counts.model_dump().values()) == 10


def test_a_changed_space_is_refused_by_name(copy_of_finished: Path, capsys) -> None:
    settings = read_settings("results/settings.json")
    space = json.loads(Path("results/settings.json").read_text())
    space["space"]["parameters"]["optim.lr"]["high"] = 5e-4
    Path("results/settings.json").write_text(json.dumps(space))
    assert search("a") == 1
    assert "space: optim.lr: high was 0.001 when the study began and is now 0.0005" in capsys.readouterr().err
    assert search("b") == 1
    assert "was searched in another space: optim.lr" in capsys.readouterr().err
    assert read_settings("results/settings.json").space != settings.space


def test_asha_prunes_the_first_seed_and_only_survivors_run_the_others(copy_of_finished: Path, monkeypatch) -> None:
    def train(model, training_data, device, options, **_: object) -> TrainingResult:
        """Pretend to train, with an F1 that depends on the learning rate and grows with the epochs."""
        outcome = TrainingResult()
        for epoch in (1, 2, 3):
            f1 = training_data.hyper.lr * 500 + epoch / 100
            figures = {"objective": f1, "calibration_error": 0.1}
            outcome.history.append({"epoch": epoch, "loss": 1.0, **figures, "by_policy": {"threshold": figures}})
            outcome.scores, outcome.best_epoch = {"objective": f1, "calibration_error": 0.1}, epoch
            if options.on_epoch is not None and options.on_epoch(epoch, f1):
                outcome.stopped = "pruned"
                break
        return outcome

    monkeypatch.setattr("lib.experiment.experiment.train", train)
    delete_study_and_runs()
    change_limits("stage_a", trials=12)
    assert search("a") == 0
    result = StageAResult.read("results/criteria/stage_a_top50.json")
    complete = [t for t in result.trials if t.state == "COMPLETE"]
    pruned = [t for t in result.trials if t.state == "PRUNED"]
    assert complete and pruned and result.counts.pruned == len(pruned)
    assert all([s.seed for s in t.seeds] == [0, 1] for t in complete)
    assert all(len(t.seeds) == 1 for t in pruned) and any(t.seeds[0].epochs_run < 3 for t in pruned)
    ended = sum(t.seeds[0].epochs_run == 3 for t in pruned)
    assert len(list(Path("results/criteria/runs").iterdir())) == 2 * len(complete) + ended
    best = max(result.trials, key=lambda t: t.params["optim.lr"])
    assert best.state == "COMPLETE" and result.trials[0] == best


def train_better_with_the_rate(model, training_data, device, options, *, seed=0, **_: object) -> TrainingResult:
    """Pretend to train. F1 rises and ECE falls with the learning rate, and each seed shifts all trials alike."""
    shift, noise = seed % 7 / 100, (seed + int(1e9 * training_data.hyper.lr)) % 11 / 1e4
    scores = {
        "objective": training_data.hyper.lr * 500 + shift + noise,
        "calibration_error": 0.6 - training_data.hyper.lr * 500 + shift,
    }
    return TrainingResult(
        scores, best_epoch=1, history=[{"epoch": 1, "loss": 1.0, **scores, "by_policy": {"none": scores}}]
    )


@pytest.mark.parametrize("sampler", ["nsga2", "tpe"])
def test_racing_stops_dominated_trials_after_a_seed_and_keeps_the_front(
    copy_of_finished: Path, monkeypatch, sampler: str
) -> None:
    monkeypatch.setattr("lib.experiment.experiment.train", train_better_with_the_rate)
    delete_study_and_runs()
    change_limits("stage_b", trials=16, seeds=3, population_size=4, sampler=sampler)
    assert search("a") == 0 and search("b") == 0
    raced = StageBResult.read("results/criteria/stage_b_pareto.json")
    assert raced.counts.pruned >= 4 and raced.counts.complete + raced.counts.pruned == 16
    assert all(len(t.seeds) == 3 for t in raced.trials), "only completed ones are ranked"
    studied = load_trials(StudyLocation("criteria/stage_b", Path("results/criteria/studies"), None)) or []
    rates = {t.number: t.params["optim.lr"] for t in studied}
    best = max(rates, key=lambda number: rates[number])
    assert raced.trials[0].number == best, "the best is never given up"
    delete_study_and_runs()
    change_limits("stage_b", racing=False)
    assert search("a") == 0 and search("b") == 0
    assert StageBResult.read("results/criteria/stage_b_pareto.json").counts.pruned == 0


def test_stage_a_also_prunes_between_seeds(copy_of_finished: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.experiment.experiment.train", train_better_with_the_rate)
    delete_study_and_runs()
    change_limits("training", epochs=1)
    change_limits("stage_a", trials=36, seeds=3)
    assert search("a") == 0
    seeds = [len(t.seeds) for t in StageAResult.read("results/criteria/stage_a_top50.json").trials]
    assert seeds == sorted(seeds, reverse=True) and seeds.count(1) > seeds.count(2) > 0 and seeds.count(3) > 0


def test_stage_a_with_a_gaussian_process_finds_the_best_learning_rate(copy_of_finished: Path, monkeypatch) -> None:
    monkeypatch.setattr("lib.experiment.experiment.train", train_better_with_the_rate)
    delete_study_and_runs()
    change_limits("training", epochs=1)
    change_limits("stage_a", trials=24, seeds=1, sampler="gp")
    assert search("a") == 0
    found = StageAResult.read("results/criteria/stage_a_top50.json")
    assert sum(found.counts.model_dump().values()) == 24
    assert found.trials[0].params["optim.lr"] == pytest.approx(1e-3, rel=0.01), "the highest there is"


def test_a_warm_start_tries_the_best_of_earlier_agents_early(copy_of_finished: Path) -> None:
    best = StageAResult.read("results/criteria/stage_a_top50.json")
    settings = read_settings("results/settings.json")
    assert settings.config.earlier_agents("evidence") == ()
    warm = change_limits("stage_a", warm_start=2)
    assert warm.config.earlier_agents("evidence") == ("criteria",) and warm.config.earlier_agents("criteria") == ()
    strategy, cold = stage_a_strategy(warm, "evidence", [best]), stage_a_strategy(settings, "evidence")
    first = min(min_trials_at_rung(warm.config.stage_a.reduction), warm.config.stage_a.startup_trials)
    own = agent_space(settings.space, "evidence")
    assert strategy.enqueued[first : first + 2] == [own.adapted(t.params) for t in best.trials[:2]]
    assert [*strategy.enqueued[:first], *strategy.enqueued[first + 2 :]] == list(cold.enqueued)
    Path("results/criteria/stage_a_top50.json").unlink()
    assert main(worker_command("a", "evidence").split()) == 1, "it needs what it begins with"


def test_failed_trials_are_recorded_with_their_reason_and_the_study_goes_on(
    copy_of_finished, monkeypatch, capsys
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise TrainingFailure("the loss is not finite")

    monkeypatch.setattr("lib.experiment.experiment.train", fails)
    delete_study_and_runs()
    assert search("a") == 1
    shown = capsys.readouterr().err
    assert "6/6" in shown and "failed 6" in shown
    assert "no trial gave a result (the loss is not finite)" in shown
    assert search("b") == 1
    assert "stage B of criteria: no trial gave a result" in capsys.readouterr().err


def test_kill_9_in_the_middle_of_stage_a_loses_nothing(copy_of_finished: Path) -> None:
    """The resumed study has the trials of the unbroken one, and trains no finished run again."""
    unbroken = StageAResult.read("results/criteria/stage_a_top50.json")
    delete_study_and_runs()
    command = [sys.executable, "-m", "lib", *worker_command("a").split()]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stderr is not None
        while f"  3/{TINY['stage_a']['trials']}  " not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    kept = {p.name: p.stat().st_mtime_ns for p in Path("results/criteria/runs").iterdir()}
    assert kept
    assert main(command[3:]) == 0
    assert main(["stage-a", "criteria"]) == 0
    resumed = StageAResult.read("results/criteria/stage_a_top50.json")
    assert resumed.trials == unbroken.trials and resumed.counts == unbroken.counts
    now = {p.name: p.stat().st_mtime_ns for p in Path("results/criteria/runs").iterdir()}
    assert all(now[name] == time for name, time in kept.items())


@pytest.mark.usefixtures("zebra_augmentation")
def test_a_bank_that_lacks_something_is_refused_at_the_start(capsys) -> None:
    made = experiment("criteria")
    made.check()
    variants_path(Path("results/cache/augmentation"), "criteria-ocr").unlink()
    with pytest.raises(
        UserError, match=r"bank.json: no texts augmented by ocr; remove it to have them computed again"
    ):
        made.check()
    Path("results/criteria/augmentation/bank.json").unlink()
    assert main(worker_command("a").split()) == 1
    assert "bank.json: no such file" in capsys.readouterr().err


def test_a_race_gives_a_candidate_up_and_stage_c_goes_on_without_it(copy_of_finished: Path, monkeypatch) -> None:
    """The first repeat is worse for candidate 0 on both folds, by the same difference."""
    change_settings(stage_c={"repeats": 2})
    folder = Path("results/criteria/stage_c")
    for number in range(2):
        fold = FoldResult.read(folder / f"0-{number}.json")
        other = FoldResult.read(folder / f"1-{number}.json").scores["objective"]
        fold.model_copy(update={"scores": fold.scores | {"objective": other - 0.1}}).write(
            folder / f"0-{number}.json"
        )
    assert main(["stage-c-race", "criteria", "--repeat", "1"]) == 0
    assert Race.read(folder / "race_1.json").candidates == [1]
    for number in (2, 3):
        with monkeypatch.context() as patch:
            patch.setattr(Experiment, "run", lambda *_, **__: pytest.fail("trained"))
            assert main(["stage-c-fold", "criteria", "--candidate", "0", "--fold", str(number)]) == 0
        assert read_fold(folder / f"0-{number}.json") is None
        assert main(["stage-c-fold", "criteria", "--candidate", "1", "--fold", str(number)]) == 0
    assert main(["stage-c-baseline", "criteria"]) == 0 and main(["stage-c", "criteria"]) == 0
    result = StageCResult.read("results/criteria/stage_c.json")
    assert [(entry["candidate"], entry["given_up_after"]) for entry in result.ranking] == [(1, None), (0, 2)]
    assert len(result.ranking[0]["objective"]["folds"]) == 4 and set(result.ensemble["picks"]) == {1}
    assert result.choice["candidate"] == 1 and result.choice["lead_of_best_is_significant"] is None
    made = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    both = [[held_out_predictions(made, FoldResult.read(folder / f"{c}-{n}.json")) for n in (0, 1)] for c in (1, 0)]
    assert result.bias_corrected == correct_for_choice(made, both), "of the repeat that both had"
    assert main(["final", "criteria"]) == 0 and main(["report", "criteria"]) == 0
    assert "given up after 2 folds" in Path("results/criteria/report.html").read_text()


def test_a_candidate_whose_training_fails_is_given_up_and_the_others_are_compared(
    copy_of_finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path("results/criteria/stage_c")

    def fail(*_: object, **__: object) -> None:
        raise TrainingFailure("the loss is not finite")

    def does_not_fit(*_: object, **__: object) -> None:
        raise DoesNotFitError("out of memory")

    monkeypatch.setattr(Experiment, "run", does_not_fit)
    assert main(["stage-c-fold", "criteria", "--candidate", "0", "--fold", "1"]) == 1, "it may fit next time"
    assert read_fold(folder / "0-1.json") is not None
    monkeypatch.setattr(Experiment, "run", fail)
    assert main(["stage-c-fold", "criteria", "--candidate", "0", "--fold", "1"]) == 0
    assert "candidate 0  is given up at fold 1: the loss is not finite" in capsys.readouterr().err
    assert read_fold(folder / "0-1.json") is None
    assert main(["stage-c", "criteria"]) == 0
    result = StageCResult.read("results/criteria/stage_c.json")
    assert [entry["candidate"] for entry in result.ranking] == [1] and result.choice["candidate"] == 1
    assert main(["stage-c-race", "criteria", "--repeat", "1"]) == 0
    assert Race.read(folder / "race_1.json").candidates == [1]
    assert main(["stage-c-fold", "criteria", "--candidate", "1", "--fold", "0"]) == 0
    assert main(["stage-c-race", "criteria", "--repeat", "1"]) == 0
    assert Race.read(folder / "race_1.json").candidates == []
    assert main(["stage-c", "criteria"]) == 1
    assert "no candidate has a result on every fold, because trainings failed" in capsys.readouterr().err
    monkeypatch.setattr(Experiment, "train_on_all", fail)
    shutil.rmtree("results/cache/refits")
    assert main(["final", "criteria"]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "a training that cannot be left out failed: the loss is not finite" in error


def test_folds_of_different_packages_are_not_compared(copy_of_finished: Path, capsys) -> None:
    path = Path("results/criteria/stage_c/1-0.json")
    fold = FoldResult.read(path)
    other = fold.provenance.model_copy(update={"packages": {**fold.provenance.packages, "torch": "1.0"}})
    fold.model_copy(update={"provenance": other}).write(path)
    assert main(["stage-c", "criteria"]) == 1
    assert "stage C of criteria: folds were trained with torch 1.0 and 2." in capsys.readouterr().err
