"""Studies in a database and behind a gRPC proxy."""

import socket
from pathlib import Path

import optuna
import pytest
from support.studies import NAME, run_trials, study_in
from support.tiny import tiny_settings

from lib.errors import UserError
from lib.studies.journal import Journal
from lib.studies.location import StudyLocation, load_trials


def test_any_optuna_url_works(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studies.db'}"
    run_trials(study_in(tmp_path, url=url), 3, tiny_settings().space)
    assert len(study_in(tmp_path, url=url).finished_trials()) == 3
    with pytest.raises(UserError, match="study 'criteria/stage_a' in sqlite"):
        study_in(tmp_path, url=url, identity={"seed": 2})
    with pytest.raises(UserError, match=r"storage: mysql\+nothing://me:…@here"):
        StudyLocation(NAME, tmp_path, "mysql+nothing://me:secret@here/db").storage()


def test_the_grpc_proxy_works(tmp_path: Path) -> None:
    from threading import Thread

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    storage = optuna.storages.JournalStorage(Journal(tmp_path / "proxied.journal"))
    Thread(target=optuna.storages.run_grpc_proxy_server, args=(storage,), kwargs={"port": port}, daemon=True).start()
    url = f"grpc://localhost:{port}"
    optuna.storages.GrpcStorageProxy(host="localhost", port=port).wait_server_ready(timeout=30)
    assert len(run_trials(study_in(tmp_path, url=url), 2, tiny_settings().space)) == 2
    assert len(load_trials(StudyLocation(NAME, tmp_path, url)) or []) == 2
