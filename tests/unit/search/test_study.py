"""Studies that several processes serve, and that lose none of them."""

import json
import math
import multiprocessing
import os
import signal
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from conftest import tiny_settings
from optuna.trial import TrialState, create_trial

from lib.errors import UserError
from lib.search import owners as owning
from lib.search.journal import Journal
from lib.search.owners import Owners
from lib.search.samplers import Gp, Nsga2, Tpe
from lib.search.status import study_line
from lib.search.study import MOST_DEATHS, Place, Study, fail, known, suggest
from lib.settings.space import Space

NAME = "criteria/stage_a"


def study_in(folder: Path, url: str | None = None, **more: Any) -> Study:
    options: dict[str, Any] = {"directions": ["maximize"], "identity": {"seed": 1}}
    return Study(Place(NAME, folder, url), pruner=optuna.pruners.NopPruner(), **options | more)


def sampler(number: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=number, multivariate=True, n_startup_trials=3)


def serve(
    study: Study, budget: int, space: Space, stop_after: int = 10**9, seconds: float = 0.0, **more: Any
) -> list[dict[str, Any]]:
    params = []
    owners = Owners(study.place.folder / "processes")
    for done, trial in enumerate(study.trials(budget, owners, sampler, **more)):
        params.append(suggest(trial, space))
        if done == stop_after:  # as if killed: the trial stays RUNNING, the lock file stays, its lock is gone
            assert owners._lock is not None
            owners._lock.close()
            return params
        time.sleep(seconds)
        score = -abs(math.log10(params[-1]["optim.lr"]) + 3.5)
        study.tell(trial, {"by": os.getpid()}, TrialState.COMPLETE, [score])
    owners.close()
    return params


def test_a_budget_is_of_the_study_and_an_interrupted_trial_goes_on_as_if_never_interrupted(tmp_path: Path) -> None:
    space = tiny_settings().space
    unbroken = serve(study_in(tmp_path / "a"), 8, space)
    first = serve(study_in(tmp_path / "b"), 8, space, stop_after=4)
    rest = serve(study_in(tmp_path / "b"), 8, space)
    assert first[:4] + rest == unbroken and len(rest) == 4
    ended = study_in(tmp_path / "b")
    assert [t.state for t in ended.over()] == [TrialState.COMPLETE] * 8
    assert serve(ended, 8, space) == []
    assert len(serve(ended, 10, space)) == 2


def test_fixed_trials_come_first_and_once(tmp_path: Path) -> None:
    space = tiny_settings().space
    wanted = serve(study_in(tmp_path / "a"), 2, space)
    study = study_in(tmp_path / "b")
    killed = serve(study, 4, space, fixed=wanted, stop_after=0)
    rest = serve(study, 4, space, fixed=wanted)
    assert killed == wanted[:1] and rest[:2] == wanted and len(rest) == 4


def _worker(folder: Path, budget: int, url: str | None = None) -> None:
    serve(study_in(folder, url), budget, tiny_settings().space, seconds=0.02)


def processes(folder: Path, number: int, budget: int, url: str | None = None) -> list[Any]:
    context = multiprocessing.get_context("fork")
    made = [context.Process(target=_worker, args=(folder, budget, url)) for _ in range(number)]
    for process in made:
        process.start()
    return made


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_are_killed_and_begun_at_any_time_end_at_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # On a slow machine the kills may meet one trial three times.
    monkeypatch.setattr("lib.search.study.MOST_DEATHS", 100)
    rng, budget = np.random.default_rng(seed), 240
    study_in(tmp_path)
    running = processes(tmp_path, 3, budget)
    for _ in range(6):
        time.sleep(rng.uniform(0.05, 0.3))
        victim = running.pop(0)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
        running += processes(tmp_path, 1, budget)
    for process in running:
        process.join()
    over = study_in(tmp_path).over()
    assert [t.number for t in over] == list(range(budget)) and {t.state for t in over} == {TrialState.COMPLETE}
    assert len({t.user_attrs["by"] for t in over}) > 1, "several took part"


def test_a_trial_that_ends_its_process_every_time_fails(tmp_path: Path) -> None:
    space = tiny_settings().space
    for _ in range(MOST_DEATHS):
        serve(study_in(tmp_path), 2, space, stop_after=0)
    assert len(serve(study_in(tmp_path), 2, space)) == 1
    first, second = study_in(tmp_path).over()
    assert first.state == TrialState.FAIL and first.user_attrs["reason"] == f"its process died {MOST_DEATHS} times"
    assert second.state == TrialState.COMPLETE


def test_processes_that_leave_in_good_order_do_a_trial_no_harm(tmp_path: Path) -> None:
    for _ in range(MOST_DEATHS + 1):
        owners = Owners(tmp_path / "processes")
        trial = next(study_in(tmp_path).trials(1, owners, sampler))
        owners.close()
    assert trial.number == 0 and study_in(tmp_path).over() == []


def test_a_trial_of_another_machine_is_taken_over_after_it_was_silent(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(socket, "gethostname", lambda: "elsewhere")
        other = Owners(tmp_path)
    mine = Owners(tmp_path)
    assert mine.state(other.me) == "alive"
    assert other._lock is not None
    other._lock.close()  # it died, or its lock is not seen here
    clock = 1000.0
    monkeypatch.setattr(owning.time, "monotonic", lambda: clock)
    assert mine.state(other.me) == "alive"
    clock += 60
    os.utime(other._path(other.me))  # a sign of life
    assert mine.state(other.me) == "alive"
    clock += 60
    assert mine.state(other.me) == "alive"
    clock += 60
    assert mine.state(other.me) == "died"
    assert mine.state("nowhere 1 x") == mine.state(mine.me) == "left"


def test_another_study_under_the_same_name_is_refused_by_what_differs(tmp_path: Path) -> None:
    study_in(tmp_path, identity={"epochs": 3, "space": {"optim.lr": {"high": 1e-3}}})
    with pytest.raises(UserError) as caught:
        study_in(tmp_path, identity={"epochs": 3, "space": {"optim.lr": {"high": 1e-4}}})
    assert "space: optim.lr: high was 0.001 when the study began and is now 0.0001" in caught.value.lines[0]
    assert "restore the old setting" in caught.value.lines[-1]


def test_any_optuna_url_serves(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    serve(study_in(tmp_path, url=url), 3, tiny_settings().space)
    assert len(study_in(tmp_path, url=url).over()) == 3
    with pytest.raises(UserError, match="study 'criteria/stage_a' in sqlite"):
        study_in(tmp_path, url=url, identity={"seed": 2})
    with pytest.raises(UserError, match=r"storage: mysql\+nothing://me:…@here"):
        Place(NAME, tmp_path, "mysql+nothing://me:secret@here/db").storage()


def test_the_grpc_proxy_serves(tmp_path: Path) -> None:
    from threading import Thread

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    storage = optuna.storages.JournalStorage(Journal(tmp_path / "proxied.journal"))
    Thread(target=optuna.storages.run_grpc_proxy_server, args=(storage,), kwargs={"port": port}, daemon=True).start()
    url = f"grpc://localhost:{port}"
    optuna.storages.GrpcStorageProxy(host="localhost", port=port).wait_server_ready(timeout=30)
    assert len(serve(study_in(tmp_path, url=url), 2, tiny_settings().space)) == 2
    assert len(known(Place(NAME, tmp_path, url)) or []) == 2


def test_a_torn_tail_is_dropped_and_damage_within_is_refused(tmp_path: Path) -> None:
    space = tiny_settings().space
    serve(study_in(tmp_path), 3, space)
    path = Place(NAME, tmp_path, None).journal
    path.write_bytes(path.read_bytes() + b'{"op_code": 5, "wor')
    assert len(serve(study_in(tmp_path), 4, space)) == 1
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:3], lines[3][:20] + b"\n", *lines[4:]]))
    with pytest.raises(UserError, match=r"criteria-stage_a.journal: a line is damaged"):
        study_in(tmp_path)


def test_a_full_disk_leaves_whole_lines(tmp_path: Path, monkeypatch) -> None:
    space = tiny_settings().space
    serve(study_in(tmp_path), 2, space)
    path = Place(NAME, tmp_path, None).journal
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("lib.search.journal.os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            Journal(path).append_logs([{"op_code": 0}])
    assert path.read_bytes() == before
    assert len(serve(study_in(tmp_path), 3, space)) == 1


def test_what_is_written_together_is_one_append(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "a.journal")
    with pytest.raises(RuntimeError), journal.together():
        journal.append_logs([{"a": 1}])
        raise RuntimeError
    assert (tmp_path / "a.journal").read_text() == "", "all or none"
    with journal.together():
        journal.append_logs([{"a": 1}])
        journal.append_logs([{"b": 2}])
        assert (tmp_path / "a.journal").read_text() == ""
    assert [json.loads(line) for line in (tmp_path / "a.journal").read_text().splitlines()] == [{"a": 1}, {"b": 2}]


def test_status_says_counts_best_rate_and_time_left() -> None:
    start = datetime(2026, 1, 1)
    trials = []
    for number in range(6):
        state = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.COMPLETE, TrialState.FAIL)[number % 4]
        made = create_trial(state=state, value=number / 10 if state == TrialState.COMPLETE else None)
        made.number, made.datetime_complete = number, start + timedelta(minutes=6 * number)
        trials.append(made)
    running = create_trial(state=TrialState.RUNNING)
    line = study_line([*trials, running], 16, start + timedelta(minutes=30))
    assert line == (
        "6/16  complete 3  pruned 2  failed 1  running 1  best F1 0.400 (trial 4)  10 trials/h  ETA 1:00:00"
        "  failure rate 16.7%"
    )
    assert "trials/h" not in study_line([running], 16, start)


def test_a_trial_is_failed_from_outside_with_its_reason(tmp_path: Path) -> None:
    study = study_in(tmp_path)
    trial = next(study.trials(1, Owners(tmp_path / "processes"), sampler))
    suggest(trial, tiny_settings().space)
    fail(study.place.storage(), trial, "took too long")
    assert [(t.state, t.user_attrs["reason"]) for t in study.over()] == [(TrialState.FAIL, "took too long")]


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (
            lambda space: Tpe(space, seed=1, startup=3),
            lambda: optuna.samplers.TPESampler(seed=1, multivariate=True, constant_liar=True, n_startup_trials=3),
        ),
        (
            lambda space: Nsga2(space, seed=1, population=3),
            lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=3),
        ),
    ],
)
def test_a_sampler_that_knows_its_space_suggests_what_optunas_own_suggests(own, theirs) -> None:
    space = tiny_settings().space
    suggested = []
    for sampler in (own(space), theirs()):
        study = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
        for _ in range(12):
            trial = study.ask()
            params = suggest(trial, space)
            study.tell(trial, [params["optim.lr"], params["head.dropout"]])
        suggested.append([trial.params for trial in study.trials])
    assert suggested[0] == suggested[1]


def test_a_gaussian_process_finds_a_peak_that_chance_does_not() -> None:
    space, best = tiny_settings().space, []
    for sampler in (Gp(space, seed=1), optuna.samplers.RandomSampler(seed=1)):
        study = optuna.create_study(direction="maximize", sampler=sampler)
        for _ in range(25):
            trial = study.ask()
            params = suggest(trial, space)
            study.tell(trial, -((params["head.dropout"] - 0.21) ** 2) - 1e6 * (params["optim.lr"] - 6e-4) ** 2)
        best.append(study.best_value)
    assert best[0] > -1e-3 and best[0] > best[1]
