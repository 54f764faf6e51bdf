"""All that a report tells of, read from an agent's results."""

from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from lib.agents.agent import Agent
from lib.experiment.experiment import Experiment
from lib.schemas.evaluation import Baselines, FoldResult, StageC, TestEvaluation
from lib.schemas.run import Run
from lib.schemas.search import StageA, StageB
from lib.search.study_results import study_location
from lib.settings.load import Settings
from lib.studies.location import load_trials
from lib.tasks.examples import Examples


@dataclass(frozen=True)
class ReportData:
    """trials: of Stage A's and B's studies. folds: of all candidates; runs: of the chosen configuration's folds."""

    settings: Settings
    agent: Agent
    examples: Examples
    trials: dict[str, list[FrozenTrial]]
    stage_a: StageA
    stage_b: StageB
    stage_c: StageC
    folds: list[FoldResult]
    runs: list[Run]
    baselines: Baselines
    test: TestEvaluation
    benchmarks: Path


def read_report_data(experiment: Experiment, folds: list[FoldResult]) -> ReportData:
    """Read what an agent's finished search left. folds: of all candidates."""
    settings, results, name = experiment.settings, experiment.results, experiment.agent.name
    folder = results / name
    result = StageC.read(folder / "stage_c.json")
    runs = [Run.read(path) for path in sorted((folder / "runs").glob("*.json"))]
    own = [run for run in runs if run.held_out is not None and run.params == result.choice["params"]]
    return ReportData(
        settings=settings,
        agent=experiment.agent,
        examples=experiment.examples,
        trials={s: load_trials(study_location(settings, results, name, s)) or [] for s in ("stage_a", "stage_b")},
        stage_a=StageA.read(folder / "stage_a_top50.json"),
        stage_b=StageB.read(folder / "stage_b_pareto.json"),
        stage_c=result,
        folds=folds,
        runs=sorted(own, key=lambda run: run.split),
        baselines=Baselines.read(folder / "baseline.json"),
        test=TestEvaluation.read(folder / "test.json"),
        benchmarks=folder / "benchmarks",
    )
