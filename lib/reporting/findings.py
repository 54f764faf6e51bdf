"""All that a report tells of, read from an agent's results."""

from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from lib.agents.base import Agent
from lib.search.documents import FoldResult, Judgement, StageA, StageB, StageC, Yardsticks
from lib.search.experiment import Experiment, Run
from lib.search.results import place
from lib.search.study import known
from lib.settings.load import Settings
from lib.tasks.examples import Examples


@dataclass(frozen=True)
class Findings:
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
    baselines: Yardsticks
    test: Judgement
    benchmarks: Path


def findings(experiment: Experiment, folds: list[FoldResult]) -> Findings:
    """Read what an agent's finished search left. folds: of all candidates."""
    settings, results, name = experiment.settings, experiment.results, experiment.agent.name
    folder = results / name
    result = StageC.read(folder / "stage_c.json")
    runs = [Run.read(path) for path in sorted((folder / "runs").glob("*.json"))]
    own = [run for run in runs if run.held_out is not None and run.params == result.choice["params"]]
    return Findings(
        settings=settings,
        agent=experiment.agent,
        examples=experiment.examples,
        trials={s: known(place(settings, results, name, s)) or [] for s in ("stage_a", "stage_b")},
        stage_a=StageA.read(folder / "stage_a_top50.json"),
        stage_b=StageB.read(folder / "stage_b_pareto.json"),
        stage_c=result,
        folds=folds,
        runs=sorted(own, key=lambda run: run.split),
        baselines=Yardsticks.read(folder / "baseline.json"),
        test=Judgement.read(folder / "test.json"),
        benchmarks=folder / "benchmarks",
    )
