"""Compare how good the models are that different searches find with the same number of training tokens.

Stage A is compared with (a) TPE without pruning that trains all seeds, as most scripts do, (b) random search and (c)
TPE with ASHA on epochs only. Then one part of Stage A at a time is changed, and variants of Stage B are compared.
Each search runs the real code (lib.search.worker), but looks its trainings up in a table of real trainings
(table.py), so that a repetition takes seconds. Tokens are those that the trainings would have read.
"""

import argparse
import contextlib
import io
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from optuna.trial import FrozenTrial, TrialState
from scipy import stats
from search.table import (
    AGENT,
    LANDSCAPES,
    TabularBenchmark,
    lookup,
    mean_scores,
    read_trainings,
    train_grid,
    training_key,
)
from search.variants import (
    STAGE_A_VARIANTS,
    STAGE_B_VARIANTS,
    repetition_settings,
    stage_a_variant,
    stage_b_variant,
)

from lib.agents import get_agent
from lib.experiment.experiment import Experiment, TrialPruned
from lib.metrics.objective import Objective
from lib.metrics.pareto import hypervolume, non_dominated_ranks
from lib.schemas.document import NO_TRAINING, Provenance, make_provenance
from lib.schemas.run import SeedResult, best_policy
from lib.search.collect import rank_trials
from lib.search.strategies import SearchStrategy
from lib.search.study_results import study_location, trial_result
from lib.search.worker import run_worker
from lib.settings.hyperparameters import NULL_POLICY
from lib.settings.load import Settings
from lib.studies.location import load_trials
from lib.training.engine import OnEpoch, replay_history

# (tokens so far, development F1, test F1) of each completed trial that was the best so far.
Trajectory = Sequence[tuple[int, float, float]]
# The reference point of the hypervolume: the F1 of a model that always says no, and no Brier skill.
REFERENCE = (0.35, 1.0)
SCORE = "F1 of yes and no (annotated pairs)"
COLOURS = {"a": "#E69F00", "b": "#999999", "c": "#009E73", "stage A": "#0072B2"}


class BudgetSpentError(Exception):
    """Raised when all tokens of a search are spent."""


class SeedSplits:
    """Stands in for the splits of an experiment, since the table knows the split of each seed."""

    def development(self, number: int) -> int:
        """Return the number of the seed."""
        return number


class TabularExperiment:
    """Has what a worker needs of an `Experiment`, but looks its trainings up in a table.

    Attributes:
        settings: The settings of the repetition.
        agent: The agent, of which a worker needs the name.
        results: Folder of the study.
        splits: The splits, which are the numbers of the seeds.
        objective: The names of the two numbers of a trial.
        identity: Settings that two runs must share, of which a table has none.
        tokens_left: The rest of the budget.
        finished: The names of the trainings that need not be repeated, as in the store of finished runs.
    """

    def __init__(
        self, settings: Settings, folder: Path, table: TabularBenchmark, tokens: float, finished: set[str]
    ) -> None:
        """Prepare an experiment for one search.

        Args:
            settings: The settings of the repetition.
            folder: Folder of the study.
            table: The trainings.
            tokens: The budget.
            finished: The names of the trainings that need not be repeated; those of this search are added.
        """
        self.settings, self.results, self.tokens_left, self.finished = settings, folder, tokens, finished
        self.agent, self.splits = get_agent(AGENT), SeedSplits()
        self.objective = Objective.of(settings.config.objective)
        self.identity: dict[str, Any] = {}
        self._table = table

    def check(self) -> None:
        """Check nothing, since nothing is trained."""

    def provenance(self, started: str) -> Provenance:
        """Return the provenance of a document that was begun at `started`."""
        return make_provenance(self.settings, started=started, corpus_hash="", device=NO_TRAINING)

    def run(self, params: dict[str, Any], split: int, *, epochs: int, on_epoch: OnEpoch | None = None) -> Any:
        """Return a training of the table, and take its tokens from the budget.

        Args:
            params: Hyper-parameters, under the names of the search space.
            split: The number of the seed, as `SeedSplits` returns it.
            epochs: Not used, since the table has a fixed number of epochs.
            on_epoch: As in `TrainingOptions`.

        Returns:
            The attributes of a run that a worker reads.

        Raises:
            BudgetSpentError: The budget does not suffice for the training.
            TrialPruned: on_epoch stopped it.
        """
        found = lookup(self._table, params, split)
        pruned = replay_history(found["history"], on_epoch) if on_epoch is not None else None
        name = training_key(self._table, params, split)
        if name not in self.finished:
            self.tokens_left -= found["tokens"] * len(found["history"] if pruned is None else pruned.history)
        if self.tokens_left < 0:
            raise BudgetSpentError
        if pruned is not None:
            raise TrialPruned(pruned)
        self.finished.add(name)
        return SimpleNamespace(
            key="", **{name: found[name] for name in ("history", "best_epoch", "stopped", "scores")}
        )


def run_search(
    strategy: SearchStrategy, repetition: int, table: TabularBenchmark, tokens: float, finished: set[str]
) -> list[FrozenTrial]:
    """Search until the tokens are spent.

    Args:
        strategy: The search.
        repetition: Determines the settings.
        table: The trainings.
        tokens: The budget.
        finished: The names of the trainings that need not be repeated; those of this search are added.

    Returns:
        The completed and pruned trials, in order.
    """
    settings = repetition_settings(repetition)
    with tempfile.TemporaryDirectory() as folder:
        experiment = TabularExperiment(settings, Path(folder), table, tokens, finished)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(BudgetSpentError):
            run_worker(cast(Experiment, experiment), strategy)
        found = load_trials(study_location(settings, Path(folder), AGENT, strategy.stage)) or []
    return [trial for trial in found if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def trial_tokens(table: TabularBenchmark, trial: FrozenTrial, finished: set[str]) -> int:
    """Return the tokens that the trainings of a trial read.

    Args:
        table: The trainings.
        trial: A finished trial.
        finished: The names of the trainings that were not repeated; those of this trial are added.

    Returns:
        The non-padding tokens of all epochs of all seeds.
    """
    total = 0
    for seed in trial.user_attrs["seeds"]:
        name = training_key(table, trial.params, seed["seed"])
        if name not in finished:
            total += lookup(table, trial.params, seed["seed"])["tokens"] * seed["epochs_run"]
        if seed["stopped"] != "pruned":
            finished.add(name)
    return total


def mean_test_scores(table: TabularBenchmark, trial: FrozenTrial) -> tuple[float, float]:
    """Return the scores of a trial on the test posts, which no search sees.

    Args:
        table: The trainings.
        trial: A completed trial.

    Returns:
        F1 and calibration error as the search's objective names them, each as the mean over the seeds, by the null
        policy that is best over the seeds.
    """
    policy = best_policy([SeedResult(**seed) for seed in trial.user_attrs["seeds"]])
    return mean_scores(table, {**trial.params, NULL_POLICY: policy}, "test")


def incumbent_trajectory(table: TabularBenchmark, trials: Sequence[FrozenTrial]) -> Trajectory:
    """Return the best trial so far as a function of the tokens.

    Args:
        table: The trainings.
        trials: The completed and pruned trials of a search, in order.

    Returns:
        One point for each completed trial that was the best so far.
    """
    total, best, points, finished = 0, -1.0, [], set[str]()
    for trial in trials:
        total += trial_tokens(table, trial, finished)
        if trial.state == TrialState.COMPLETE and trial.values[0] > best:
            best = trial.values[0]
            points.append((total, best, mean_test_scores(table, trial)[0]))
    return points


@dataclass(frozen=True)
class Job:
    """One search.

    Attributes:
        landscape: The name of the table.
        stage: 'a' or 'b'.
        variant: A key of `STAGE_A_VARIANTS` or `STAGE_B_VARIANTS`.
        repetition: Serves as the seed.
    """

    landscape: str
    stage: str
    variant: str
    repetition: int


def run_job(job: Job, trials_in_budget: int) -> dict[str, Any]:
    """Run a search in the folder of its table.

    Args:
        job: The search.
        trials_in_budget: As in `search_budget`.

    Returns:
        The figures of the search.
    """
    table = read_trainings(LANDSCAPES[job.landscape])
    budget = search_budget(table, trials_in_budget)
    if job.stage == "a":
        strategy = stage_a_variant(job.variant, job.repetition, table)
        trials = run_search(strategy, job.repetition, table, budget, set())
        complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
        return {"trajectory": incumbent_trajectory(table, trials), "trials": len(trials), "complete": complete}
    # Stage B starts from a Stage A that had a third of the budget, and need not repeat its trainings. It once had to,
    # because each stage had an epoch limit of its own.
    finished: set[str] = set()
    strategy = stage_a_variant("stage A", job.repetition, table)
    best = run_search(strategy, job.repetition, table, budget / 3, finished)
    first: Any = SimpleNamespace(trials=rank_trials([trial_result(trial) for trial in best]))
    known = frozenset() if job.variant == "before" else frozenset(finished)
    strategy = stage_b_variant(job.variant, job.repetition, first, table)
    trials = run_search(strategy, job.repetition, table, budget, set(known))
    return {"trials": len(trials), "hypervolumes": hypervolume_curve(table, trials, budget, set(known))}


def hypervolume_curve(
    table: TabularBenchmark, trials: Sequence[FrozenTrial], budget: float, finished: set[str]
) -> list[tuple[float, float]]:
    """Return the hypervolume at each tenth of the budget.

    Args:
        table: The trainings.
        trials: The completed and pruned trials of a search, in order.
        budget: The tokens of the search.
        finished: The names of the trainings that were not repeated; those of the search are added.

    Returns:
        Ten pairs of hypervolumes, on development posts and of that front on test posts, as shares of those of the
        whole table.
    """
    marks: list[tuple[float, float]] = []
    total, found, tested = 0, [(0.0, 1.0)], [(0.0, 1.0)]
    whole = whole_front(table, "scores"), whole_front(table, "test")

    def shares() -> tuple[float, float]:
        # A user who sees the development front chooses from it, and not among all trials by their test scores.
        front = [point for point, rank in zip(tested, non_dominated_ranks(found), strict=True) if rank == 0]
        return hypervolume(found, REFERENCE) / whole[0], hypervolume(front, REFERENCE) / whole[1]

    for trial in trials:
        total += trial_tokens(table, trial, finished)
        while len(marks) < 10 and total > budget * (len(marks) + 1) / 10:
            marks.append(shares())
        if trial.state == TrialState.COMPLETE:
            found.append((trial.values[0], trial.values[1]))
            tested.append(mean_test_scores(table, trial))
    return marks + [shares()] * (10 - len(marks))


def whole_front(table: TabularBenchmark, part: str) -> float:
    """Return the hypervolume of all points of the grid, as means over the seeds at their best null policy.

    part: 'scores' for development posts, 'test' for test posts.
    """
    grid = [dict(zip(table.landscape.grid, point, strict=True)) for point in table.trainings]
    return hypervolume([mean_scores(table, params, part) for params in grid], REFERENCE)


def search_budget(table: TabularBenchmark, trials: int) -> float:
    """Return the mean tokens of a number of trials that train all seeds to their end.

    Args:
        table: The table of trainings.
        trials: Number of trials.

    Returns:
        The number of tokens.
    """
    each = [sum(seed["tokens"] * len(seed["history"]) for seed in entries) for entries in table.trainings.values()]
    return trials * float(np.mean(each))


# The figures.


def incumbent_f1(points: Trajectory, tokens: float, which: int) -> float:
    """Return the F1 of the best trial after a number of tokens.

    Args:
        points: The trajectory of a search.
        tokens: The number of tokens.
        which: 1 for development F1, 2 for test F1.

    Returns:
        The F1, or NaN if no trial was complete by then.
    """
    return next((p[which] for p in reversed(points) if p[0] <= tokens), float("nan"))


def tokens_to_reach(points: Trajectory, f1: float, which: int) -> float:
    """Return the number of tokens after which the best trial has an F1.

    Args:
        points: The trajectory of a search.
        f1: The F1 to reach.
        which: 1 for development F1, 2 for test F1.

    Returns:
        The tokens, or infinity if the F1 is not reached.
    """
    return next((float(p[0]) for p in points if p[which] >= f1), float("inf"))


def format_mean_interval(values: Sequence[float]) -> str:
    """Return the mean and the half width of its 95 % interval by Student's t, as text."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.4f} ± {half:.4f}"


def format_budget_share(
    trajectories: Sequence[Trajectory], baseline: Sequence[Trajectory], which: int, budget: float
) -> str:
    """Return the median share of the budget after which a search reaches the mean final F1 of (a), as text.

    Args:
        trajectories: The repetitions of the search.
        baseline: The repetitions of (a).
        which: 1 for development F1, 2 for test F1.
        budget: The tokens of a search.

    Returns:
        The share with its 95 % interval, a bootstrap over the repetitions of both searches. '–' means never.
    """
    ends = np.array([incumbent_f1(points, budget, which) for points in baseline])
    generator = np.random.default_rng(0)

    def median(own: NDArray[np.intp], other: NDArray[np.intp]) -> float:
        goal = float(ends[other].mean())
        return float(np.median([tokens_to_reach(trajectories[i], goal, which) for i in own])) / budget

    everything = np.arange(len(trajectories))
    drawn = [median(*generator.integers(0, len(trajectories), (2, len(trajectories)))) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975], method="closest_observation")
    middle, low, high = (f"{v:.0%}" if np.isfinite(v) else "–" for v in (median(everything, everything), low, high))
    return f"{middle} [{low}, {high}]"


def variants_run(found: dict[Job, dict[str, Any]], stage: str) -> list[str]:
    """Return the variants of a stage that were run.

    Args:
        found: The figures of each search.
        stage: 'a' or 'b'.

    Returns:
        Keys of `STAGE_A_VARIANTS` or `STAGE_B_VARIANTS`, in order.
    """
    return list(dict.fromkeys(job.variant for job in found if job.stage == stage))


def print_stage_a(found: dict[Job, dict[str, Any]], landscape: str, repetitions: int, budget: float) -> None:
    """Print the table of Stage A.

    Args:
        found: The figures of each search.
        landscape: The name of the table of trainings.
        repetitions: The number of repetitions.
        budget: The tokens of a search.
    """
    runs = {
        variant: [found[Job(landscape, "a", variant, r)] for r in range(repetitions)]
        for variant in variants_run(found, "a")
    }
    trajectories = {variant: [run["trajectory"] for run in runs[variant]] for variant in runs}
    print(f"\n{landscape}: {budget / 1e6:.1f} M tokens each, {repetitions} repetitions, {SCORE}")
    print("| search | trials | complete | development | test | tokens to (a)'s development F1 | to (a)'s test F1 |")
    print("|---|---|---|---|---|---|---|")
    for variant, those in trajectories.items():
        ends = [format_mean_interval([incumbent_f1(points, budget, which) for points in those]) for which in (1, 2)]
        shares = [format_budget_share(those, trajectories["a"], which, budget) for which in (1, 2)]
        done, complete = (f"{np.mean([run[key] for run in runs[variant]]):.0f}" for key in ("trials", "complete"))
        print(f"| {STAGE_A_VARIANTS[variant]} | {done} | {complete} | {' | '.join(ends + shares)} |")


def print_stage_b(found: dict[Job, dict[str, Any]], landscape: str, repetitions: int) -> None:
    """Print the table of Stage B.

    Args:
        found: The figures of each search.
        landscape: The name of the table of trainings.
        repetitions: The number of repetitions.
    """
    print(
        "\n| Stage B | trials | hypervolume at 30 % of the tokens | at the end | of this front on test posts |"
        "\n|---|---|---|---|---|"
    )
    for variant in variants_run(found, "b"):
        results = [found[Job(landscape, "b", variant, r)] for r in range(repetitions)]
        early, end, test = (
            format_mean_interval([r["hypervolumes"][tenth][which] for r in results])
            for tenth, which in ((2, 0), (9, 0), (9, 1))
        )
        trials = np.mean([r["trials"] for r in results])
        print(f"| {STAGE_B_VARIANTS[variant]} | {trials:.0f} | {early} | {end} | {test} |")


def draw_trajectories(
    found: dict[Job, dict[str, Any]], repetitions: int, budgets: dict[str, float], path: Path
) -> None:
    """Draw F1 against tokens, as means over repetitions with 95 % bands.

    Args:
        found: The figures of each search.
        repetitions: The number of repetitions.
        budgets: The tokens of a search on each landscape, by its name.
        path: The SVG file.
    """
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    figure = Figure(figsize=(9, 3.6 * len(budgets)), layout="constrained")
    panels = figure.subplots(len(budgets), 2, squeeze=False)
    grid = np.linspace(0.1, 1, 80)
    for row, (landscape, budget) in zip(panels, budgets.items(), strict=True):
        for axes, which, title in zip(row, (1, 2), ("development", "test"), strict=True):
            for variant in [variant for variant in variants_run(found, "a") if variant in COLOURS]:
                trajectories = [found[Job(landscape, "a", variant, r)]["trajectory"] for r in range(repetitions)]
                values = np.array(
                    [[incumbent_f1(points, budget * share, which) for share in grid] for points in trajectories]
                )
                mean, error = values.mean(0), values.std(0, ddof=1) / np.sqrt(repetitions)
                half = stats.t.ppf(0.975, repetitions - 1) * error
                axes.plot(100 * grid, mean, color=COLOURS[variant], label=STAGE_A_VARIANTS[variant])
                axes.fill_between(
                    100 * grid, mean - half, mean + half, color=COLOURS[variant], alpha=0.15, linewidth=0
                )
            axes.set_xlabel("training tokens, % of the budget")
            axes.set_ylabel(f"{landscape}, {title}: {SCORE}", fontsize=8)
            axes.spines[["top", "right"]].set_visible(False)
    panels[0, 1].legend(frameon=False, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})


def run_searches(landscape: str, folder: Path, options: argparse.Namespace) -> tuple[float, dict[Job, Any]]:
    """Compute a landscape's table if it is missing, and run all searches on it.

    Args:
        landscape: The name of the table.
        folder: Keeps corpus, backbones and table.
        options: Give the folder of a corpus, the variants, the number of repetitions and the trials of a budget.

    Returns:
        The tokens of a search, and the figures of each search.
    """
    corpus = None if options.corpus is None else str(Path(options.corpus).resolve())
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(Path("config").resolve())
    with chdir(folder):
        train_grid(LANDSCAPES[landscape], landscape, corpus, os.cpu_count() or 1)
        stages = [("a", variant) for variant in STAGE_A_VARIANTS if variant in ("a", *options.variants)]
        stages += [("b", variant) for variant in STAGE_B_VARIANTS if variant in options.variants]
        jobs = [Job(landscape, stage, variant, r) for stage, variant in stages for r in range(options.repetitions)]
        run_one = partial(run_job, trials_in_budget=options.trials)
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            found = dict(zip(jobs, pool.map(run_one, jobs), strict=True))
        return search_budget(read_trainings(LANDSCAPES[landscape]), options.trials), found


def run() -> None:
    """Run the searches, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of a corpus to train tables on (default: those of the repository)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".bench/search"), help="folder that keeps the tables of trainings"
    )
    parser.add_argument("--landscape", nargs="+", choices=list(LANDSCAPES), default=list(LANDSCAPES), help="tables")
    parser.add_argument("--repetitions", type=int, default=5, help="number of repetitions of each search")
    every = [*STAGE_A_VARIANTS, *STAGE_B_VARIANTS]
    parser.add_argument(
        "--trials", type=int, default=40, help="every search gets the tokens that this number of trials of (a) needs"
    )
    parser.add_argument(
        "--variants", nargs="+", choices=every, default=every, help="searches to run; (a) always runs"
    )
    parser.add_argument("--picture", type=Path, help="SVG file to draw F1 against tokens")
    options = parser.parse_args()
    found: dict[Job, Any] = {}
    budgets = {}
    for landscape in options.landscape:
        budgets[landscape], results = run_searches(landscape, options.folder / landscape, options)
        found |= results
        print_stage_a(results, landscape, options.repetitions, budgets[landscape])
        if variants_run(results, "b"):
            print_stage_b(results, landscape, options.repetitions)
    if options.picture is not None:
        draw_trajectories(found, options.repetitions, budgets, options.picture)


if __name__ == "__main__":
    run()
