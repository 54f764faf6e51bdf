"""Upload to MLflow what it does not have yet."""

import logging
import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from lib.errors import UserError
from lib.tracking.records import MlflowRun, StageRecords

# The most that MLflow accepts in one request.
_METRICS, _PARAMS = 1000, 100
_KEY = "key"
# One attempt with a short timeout, so that a server that is down is noticed at once.
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def configure_mlflow(uri: str) -> None:
    """Set environment variables, log levels and MLflow's URIs for the whole process, before it makes a `Tracker`.

    Args:
        uri: The tracking URI.
    """
    os.environ.update(_ENVIRONMENT)  # MLflow reads some of them when it is imported
    logging.getLogger("alembic").setLevel(logging.WARNING)
    import mlflow

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)


class Tracker:
    """A tracking server, or a local database. The process must have called `configure_mlflow` with the same URI."""

    def __init__(self, uri: str, results: Path) -> None:
        """Connect to a server or database.

        Args:
            uri: The tracking URI. A local database is created if it does not exist.
            results: The results folder, which holds the artifacts of a local database.

        Raises:
            UserError: The server or database cannot be reached.
        """
        import mlflow
        from mlflow.exceptions import MlflowException

        self.uri, self._errors = uri, (MlflowException, OSError)
        self._local = not uri.startswith(("http://", "https://", "databricks"))
        self._artifacts = (results / "mlartifacts").resolve().as_uri() if self._local else None
        if self._local:
            results.mkdir(parents=True, exist_ok=True)
        try:
            self._client = mlflow.MlflowClient(uri, uri)
            self._client.search_experiments(max_results=1)
        except self._errors as error:
            raise UserError(
                f"tracking.uri: {uri} cannot be reached ({type(error).__name__}); nothing is lost,"
                " 'python -m lib sync' uploads it later"
            ) from None

    def upload(self, stage: StageRecords) -> int:
        """Upload the records of a stage that are not there yet, and return the number of new runs."""
        experiment = self._experiment(stage.experiment)
        there = self._complete_runs(experiment)
        parent = there.get(stage.parent.key) or self._begin(experiment, stage.parent, None)
        fresh = [child for child in stage.children if child.key not in there]
        for child in fresh:
            self._end(self._begin(experiment, child, parent), child)
        # A study grows, so its counts and files are uploaded each time.
        self._log(parent, stage.parent.points, {})
        for file in stage.files:
            self._client.log_artifact(parent, str(file))
        self._client.set_terminated(parent)
        return len(fresh) + (stage.parent.key not in there)

    def register(self, model: Path, agent: str, key: str) -> str | None:
        """Add a final model to the registry as a pyfunc.

        Args:
            model: The model's folder.
            agent: Name of the agent.
            key: Key of the record of its final run, which must have been uploaded.

        Returns:
            The version in the registry; None if the model is there already.
        """
        import mlflow

        from lib.tracking.pyfunc import FinalModel

        name = f"clinical-{agent}"
        experiment = self._experiment(f"{agent}/final")
        run = self._complete_runs(experiment)[key]
        if any(v.tags.get(_KEY) == key for v in self._model_versions(name)):
            return None
        # The whole package is stored with the model, so that it can predict where this repository is not installed.
        with mlflow.start_run(run_id=run, log_system_metrics=False):
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=FinalModel(),
                artifacts={"model": str(model)},
                code_paths=[str(Path(__file__).parents[1])],
                registered_model_name=name,
                pip_requirements=["torch", "transformers", "safetensors", "pandas", "scipy", "pydantic"],
            )
        version = str(logged.registered_model_version)
        self._client.set_model_version_tag(name, version, _KEY, key)
        return version

    def _model_versions(self, name: str) -> Sequence[Any]:
        found: Sequence[Any] = self._client.search_model_versions(f"name='{name}'")
        return found

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=self._artifacts))

    def _complete_runs(self, experiment: str) -> dict[str, str]:
        """Return the ids of complete runs, by key, and remove runs that an interrupted upload left incomplete."""
        found, token = {}, None
        while True:
            page = self._client.search_runs([experiment], max_results=1000, page_token=token)
            for run in page:
                if run.info.status == "RUNNING" and "parent" not in run.data.tags:
                    self._client.delete_run(run.info.run_id)
                elif _KEY in run.data.tags:
                    found[run.data.tags[_KEY]] = run.info.run_id
            token = page.token
            if not token:
                return found

    def _begin(self, experiment: str, record: MlflowRun, parent: str | None) -> str:
        tags = {_KEY: record.key, **record.tags}
        tags |= {"parent": "yes"} if parent is None else {"mlflow.parentRunId": parent}
        run = self._client.create_run(experiment, start_time=record.start, tags=tags, run_name=record.name)
        self._log(run.info.run_id, record.points if parent is not None else [], record.params)
        return str(run.info.run_id)

    def _end(self, run: str, record: MlflowRun) -> None:
        self._client.set_terminated(run, "FAILED" if record.failed else "FINISHED", record.end)

    def _log(self, run: str, points: Sequence[tuple[str, float, int]], params: Any) -> None:
        from mlflow.entities import Metric, Param

        metrics = [Metric(_name(name), float(value), 0, step) for name, value, step in points]
        given = [Param(_name(str(name)), str(value)) for name, value in params.items()]
        for part in _batches(given, _PARAMS):
            self._client.log_batch(run, params=part)
        for part in _batches(metrics, _METRICS):
            self._client.log_batch(run, metrics=part)


def _name(name: str) -> str:
    """Return a name without the characters that MLflow refuses."""
    return "".join(c if c.isalnum() or c in "_-./ " else "_" for c in name)


def _batches(items: Sequence[Any], size: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
