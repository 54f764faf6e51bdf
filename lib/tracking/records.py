"""The records for MLflow, a run for each trial, fold and final model of an agent, read from the results folder.

The results folder is the buffer, so nothing is lost while a server is away. Each record has a key, so that a second
upload changes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from lib.metrics.objective import Objective
from lib.schemas.document import Provenance
from lib.schemas.evaluation import Baselines, FoldResult, StageCResult, TestEvaluation, read_fold
from lib.schemas.run import Run
from lib.schemas.search import StageAResult, StageBResult
from lib.search.study_results import study_location
from lib.settings.load import Settings
from lib.settings.outer_folds import outer_prefix
from lib.studies.location import load_finished_trials

MetricPoint = tuple[str, float, int]


@dataclass(frozen=True)
class MlflowRun:
    """A run of MLflow.

    Attributes:
        key: The name by which a later upload recognises the run.
        name: The name that MLflow shows.
        failed: Whether the run failed.
        params: Its parameters.
        points: Its metrics as (name, value, step).
        tags: Its tags.
        start: When it started, in ms since 1970; None if unknown.
        end: When it ended, in ms since 1970; None if unknown.
    """

    key: str
    name: str
    failed: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    points: list[MetricPoint] = field(default_factory=list)
    tags: Mapping[str, str] = field(default_factory=dict)
    start: int | None = None
    end: int | None = None


@dataclass(frozen=True)
class StageRecords:
    """The records of a stage of an agent.

    Attributes:
        experiment: Name of MLflow's experiment.
        parent: The run of the stage.
        children: The runs of its trials or folds.
        files: Files to attach to the run of the stage.
    """

    experiment: str
    parent: MlflowRun
    children: list[MlflowRun]
    files: list[Path]


def stage_records(settings: Settings, results: Path, agent: str) -> Iterator[StageRecords]:
    """Yield the records of an agent's stages, in order, as far as there are results.

    Args:
        settings: The settings of the run.
        results: The results folder, or that of an outer fold.
        agent: Name of the agent.

    Yields:
        The records of each stage that has any result.

    Raises:
        UserError: A result file is broken.
    """
    folder, search = results / agent, f"{outer_prefix(results)}{agent}"
    named = objective_tags(Objective.of(settings.config.objective))
    for stage, kind in (("stage_a", StageAResult), ("stage_b", StageBResult)):
        if finished := load_finished_trials(study_location(settings, results, agent, stage)):
            limits = getattr(settings.config, stage).model_dump()
            yield _search(f"{search}/{stage}", finished, limits, folder / kind.FILE, kind, named)
    if (path := folder / StageCResult.FILE).exists():
        yield _folds(folder, StageCResult.read(path), search, named)
    if (path := folder / TestEvaluation.FILE).exists():
        yield _final(folder, TestEvaluation.read(path), search)


def objective_tags(objective: Objective) -> dict[str, str]:
    """Return tags that say which scores the metrics `objective` and `calibration_error` are, and their population."""
    return {"objective": objective.name, "calibration_error": objective.full_calibration_name}


def _search(
    name: str,
    trials: Sequence[FrozenTrial],
    limits: dict[str, Any],
    path: Path,
    kind: type[StageAResult] | type[StageBResult],
    named: dict[str, str],
) -> StageRecords:
    made = kind.read(path).provenance if path.exists() else None
    # A study that was started again has other trials with the same numbers.
    begun = min(t.datetime_start for t in trials if t.datetime_start is not None).isoformat()
    head = f"{name}/{begun}"
    done = [t for t in trials if t.state == TrialState.COMPLETE]
    best = [("best_objective", max(float(t.values[0]) for t in done), len(trials))] if done else []
    counts: list[MetricPoint] = [("trials", float(len(trials)), len(trials)), *best]
    runs = {file.stem: file for file in (path.parent / "runs").glob("*.json")}
    return StageRecords(
        experiment=name,
        parent=MlflowRun(head, f"study {begun}", params=limits, points=counts, tags=named | _tags(made)),
        children=[_trial(f"{head}/{t.number}", t, runs, named) for t in trials],
        files=[p for p in (path, path.with_name(f"{Path(name).name}.svg")) if p.exists()],
    )


def _trial(key: str, trial: FrozenTrial, runs: Mapping[str, Path], named: dict[str, str]) -> MlflowRun:
    points: list[MetricPoint] = []
    augmented: dict[str, int] = {}
    seeds = trial.user_attrs.get("seeds", [])
    for seed in seeds:
        points += [(name, seed[name], seed["seed"]) for name in ("objective", "calibration_error")]
        if (path := runs.get(seed["key"])) is not None:
            run = Run.read(path)
            points += _epochs(run.history, f"seed{seed['seed']}/")
            points += [(f"perf/{name}", value, seed["seed"]) for name, value in run.performance.items()]
            for method, n in run.augmented.items():
                augmented[method] = augmented.get(method, 0) + n
    if not seeds or not seeds[0]["key"]:  # it was pruned in its first seed, so no run was kept
        points += [("seed0/objective", value, epoch) for epoch, value in trial.intermediate_values.items()]
    points += [(f"augmented/{method}", float(n), 0) for method, n in augmented.items()]
    tags = {**named, "state": trial.state.name, "number": str(trial.number)}
    tags |= {"reason": str(trial.user_attrs["reason"])} if "reason" in trial.user_attrs else {}
    begun, ended = trial.datetime_start, trial.datetime_complete
    return MlflowRun(
        key,
        f"trial {trial.number}",
        failed=trial.state == TrialState.FAIL,
        params=trial.params,
        points=points,
        tags=tags,
        start=None if begun is None else int(begun.timestamp() * 1000),
        end=None if ended is None else int(ended.timestamp() * 1000),
    )


def _epochs(history: list[dict[str, Any]], prefix: str = "") -> list[MetricPoint]:
    points = []
    for epoch in history:
        number, by_policy = int(epoch["epoch"]), epoch.get("by_policy", {})
        points += [(f"{prefix}{n}", v, number) for n, v in epoch.items() if n not in ("epoch", "by_policy")]
        if len(by_policy) > 1:
            points += [
                (f"{prefix}{p}/{n}", v, number) for p, figures in by_policy.items() for n, v in figures.items()
            ]
    return points


def _folds(folder: Path, result: StageCResult, search: str, named: dict[str, str]) -> StageRecords:
    head = f"{search}/stage_c/{result.provenance.finished}"
    children = []
    for path in sorted((folder / "stage_c").glob("[0-9]*-[0-9]*.json")):
        if (fold := read_fold(path)) is None:
            continue
        points = [*_fold_scores(fold)]
        points += [(f"perf/{name}", float(value), fold.fold) for name, value in fold.performance.items()]
        tags = {**named, "candidate": str(fold.candidate), "fold": fold.split}
        name = f"candidate {fold.candidate}, {fold.split}"
        children.append(MlflowRun(f"{head}/{path.stem}", name, params=fold.params, points=points, tags=tags))
    choice = result.choice
    points = [(name, choice[name]["mean"], 0) for name in ("objective", "calibration_error")]
    parent = MlflowRun(
        head, "cross-validation", params=choice["params"], points=points, tags=named | _tags(result.provenance)
    )
    files = [path for path in (folder / StageCResult.FILE, folder / "stage_c.svg") if path.exists()]
    return StageRecords(f"{search}/stage_c", parent, children, files)


def _fold_scores(fold: FoldResult) -> Iterator[MetricPoint]:
    """Yield the objectives of a fold, and its scores under the name of each population."""
    for name in ("objective", "calibration_error"):
        yield name, fold.scores[name], fold.fold
    for population, scores in {fold.scores["population"]: fold.scores, "annotated": fold.scores["annotated"]}.items():
        for name in ("f1_macro", "ece", "accuracy"):
            yield f"{population}/{name}", scores[name], fold.fold


def _final(folder: Path, test: TestEvaluation, search: str) -> StageRecords:
    chosen = test.models[0]
    points: list[MetricPoint] = [
        (f"test/{level}/{name}", interval["value"], 0)
        for level, intervals in chosen.intervals.items()
        for name, interval in intervals.items()
    ]
    points += [
        (f"test/{m.name.replace(' + ', ' and ')}/{test.population}/f1_macro", m.f1_macro["value"], 0)
        for m in test.models[1:]
    ]
    parent = MlflowRun(
        f"{search}/final/{test.provenance.finished}",
        "final model",
        params=test.chosen,
        points=points,
        tags=_tags(test.provenance) | {"openings": str(len(test.openings))},
    )
    names = (TestEvaluation.FILE, Baselines.FILE, "report.html")
    return StageRecords(f"{search}/final", parent, [], [p for n in names if (p := folder / n).exists()])


def _tags(made: Provenance | None) -> dict[str, str]:
    if made is None:
        return {}
    fields = ("config_hash", "corpus_hash", "code_version", "seed", "device", "started", "finished")
    return {f"provenance.{name}": str(getattr(made, name)) for name in fields}
