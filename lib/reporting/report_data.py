"""The data of a report, read from an agent's results."""

from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from lib.agents.agent import Agent
from lib.experiment.experiment import Experiment
from lib.metrics.objective import Objective
from lib.schemas.evaluation import Baselines, FoldResult, NestedResult, StageCResult, TestEvaluation
from lib.schemas.run import Run
from lib.schemas.search import StageAResult, StageBResult
from lib.search.study_results import study_location
from lib.settings.hyperparameters import NULL_POLICY
from lib.settings.load import Settings
from lib.studies.location import load_trials
from lib.tasks.examples import Examples


@dataclass(frozen=True)
class ReportData:
    """The data of an agent's report.

    Attributes:
        objective: What the search maximised and minimised.
        trials: All trials of the studies 'stage_a' and 'stage_b'.
        folds: The fold results of all candidates.
        runs: The runs of the chosen configuration on the folds.
        searched: Its runs on the development splits of Stage B.
        nested: The searches of the outer folds; None without nested cross-validation.
        folder: The agent's folder of results.
    """

    settings: Settings
    objective: Objective
    agent: Agent
    examples: Examples
    trials: dict[str, list[FrozenTrial]]
    stage_a: StageAResult
    stage_b: StageBResult
    stage_c: StageCResult
    folds: list[FoldResult]
    runs: list[Run]
    searched: list[Run]
    baselines: Baselines
    test: TestEvaluation
    nested: NestedResult | None
    folder: Path


def read_report_data(experiment: Experiment, folds: list[FoldResult]) -> ReportData:
    """Read the results of an agent's finished search.

    Args:
        experiment: The agent's experiment.
        folds: The fold results of all candidates.

    Returns:
        All data of the report.

    Raises:
        UserError: A result is missing or broken.
    """
    settings, results, name = experiment.settings, experiment.results, experiment.agent.name
    folder = results / name
    result = StageCResult.read(folder / StageCResult.FILE)
    runs = [Run.read(path) for path in sorted((folder / "runs").glob("*.json"))]
    # Trainings of the search tried all null policies, and those of the folds the best one.
    searched, policy = result.choice["params"], {NULL_POLICY: None}
    own = sorted((run for run in runs if run.params | policy == searched | policy), key=lambda run: run.split)
    return ReportData(
        settings=settings,
        objective=experiment.objective,
        agent=experiment.agent,
        examples=experiment.examples,
        trials={s: load_trials(study_location(settings, results, name, s)) or [] for s in ("stage_a", "stage_b")},
        stage_a=StageAResult.read(folder / StageAResult.FILE),
        stage_b=StageBResult.read(folder / StageBResult.FILE),
        stage_c=result,
        folds=folds,
        runs=[run for run in own if not run.scores],
        searched=[run for run in own if run.scores],
        baselines=Baselines.read(folder / Baselines.FILE),
        test=TestEvaluation.read(folder / TestEvaluation.FILE),
        nested=NestedResult.read(folder / NestedResult.FILE) if settings.config.outer_folds else None,
        folder=folder,
    )
