"""Uploads to MLflow are complete and never duplicated, and a dead server stops nothing."""

import json
from pathlib import Path

import pandas as pd
import pytest
from support.tiny import TINY, change_settings

from lib.cli.main import main
from lib.schemas.evaluation import TestEvaluation
from lib.tracking.uploading import Tracker


def runs(uri: str, experiment: str) -> list:
    import mlflow

    client = mlflow.MlflowClient(uri, uri)
    found = client.get_experiment_by_name(experiment)
    return list(client.search_runs([found.experiment_id]))


def test_everything_is_uploaded_once_and_the_model_is_registered(copy_of_finished: Path, monkeypatch, capsys) -> None:
    import mlflow

    change_settings(agents=["criteria"])
    uri = "sqlite:///results/mlflow.db"
    # An upload that is interrupted within a trial leaves the trial incomplete. The next upload completes it.
    real = Tracker._end
    with monkeypatch.context() as killed:
        killed.setattr(
            Tracker, "_end", lambda own, run, record: 1 / 0 if record.name == "trial 3" else real(own, run, record)
        )
        assert main(["sync"]) == 1
    assert main(["sync", "--output", "results/criteria/tracking.json"]) == 0
    tracked = json.loads(Path("results/criteria/tracking.json").read_text())
    assert tracked["uploaded"] and set(tracked["runs"]) == {
        f"criteria/{n}" for n in ("stage_a", "stage_b", "stage_c", "final")
    }
    a = runs(uri, "criteria/stage_a")
    parent = next(run for run in a if "parent" in run.data.tags)
    trials = [run for run in a if run is not parent]
    assert sorted(int(run.data.tags["number"]) for run in trials) == list(range(TINY["stage_a"]["trials"]))
    assert all(run.data.tags["mlflow.parentRunId"] == parent.info.run_id for run in trials)
    top = json.loads(Path("results/criteria/stage_a_top50.json").read_text())["trials"][0]
    best = next(run for run in trials if run.data.tags["number"] == str(top["number"]))
    assert best.data.params["optim.lr"] == str(top["params"]["optim.lr"])
    assert {"seed0/loss", "seed0/objective", "perf/seconds", "perf/data_step_ratio", "perf/peak_memory_mb"} <= set(
        best.data.metrics
    )
    client = mlflow.MlflowClient(uri, uri)
    assert {f.path for f in client.list_artifacts(parent.info.run_id)} == {"stage_a_top50.json", "stage_a.svg"}
    assert parent.data.tags["provenance.seed"] == "42"

    assert main(["sync"]) == 0 and "0 new runs" in capsys.readouterr().err
    assert len(runs(uri, "criteria/stage_a")) == 1 + len(trials)
    assert len(client.search_model_versions("name='clinical-criteria'")) == 1

    version = client.search_model_versions("name='clinical-criteria'")[0]
    model = mlflow.pyfunc.load_model(version.source)
    answered = model.predict(pd.DataFrame({"post_id": ["a"], "text": ["I sleep badly. I am tired."]}))
    assert len(answered) == 2 * 9 and answered["probability"].between(0, 1).all()
    test = TestEvaluation.read("results/criteria/test.json")
    final = runs(uri, "criteria/final")[0]
    assert final.data.metrics["test/natural/f1_macro"] == pytest.approx(test.models[0].f1_macro["value"])


def test_a_dead_server_is_reported_and_stops_nothing(copy_of_finished: Path, capsys) -> None:
    change_settings(agents=["criteria"], tracking={"uri": "http://127.0.0.1:9"})
    assert main(["sync"]) == 1
    assert "http://127.0.0.1:9 cannot be reached" in capsys.readouterr().err
    assert main(["sync", "--tolerant", "--output", "t.json"]) == 0
    errors = capsys.readouterr().err.strip().splitlines()
    assert len(errors) == 1 and "'python -m lib sync' uploads it later" in errors[0]
    assert json.loads(Path("t.json").read_text())["uploaded"] is False
    change_settings(agents=["criteria"], tracking={"uri": None})
    assert main(["sync"]) == 1 and "nothing is tracked" in capsys.readouterr().err
    assert main(["sync", "--agent", "share"]) == 1 and "is not in the configuration" in capsys.readouterr().err
