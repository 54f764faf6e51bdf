"""Several processes share a study on a real PostgreSQL server, if it is installed."""

from pathlib import Path

import pytest
from optuna.trial import TrialState
from support.servers import postgres, postgres_programs
from support.studies import start_workers, study_in


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed (apt-get install postgresql)")
def test_eight_processes_share_a_study_on_a_server(tmp_path: Path) -> None:
    budget = 48
    with postgres(tmp_path / "server") as url:
        study_in(tmp_path / "locks", url)
        running = start_workers(tmp_path / "locks", 8, budget, url, seconds=0.3)
        running[0].kill()
        for process in running:
            process.join()
        assert [process.exitcode for process in running[1:]] == [0] * 7, "no lock error"
        ended = study_in(tmp_path / "locks", url).finished_trials()
    assert [trial.number for trial in ended] == list(range(budget))
    assert {trial.state for trial in ended} == {TrialState.COMPLETE}
    assert len({trial.user_attrs["by"] for trial in ended}) == 7
