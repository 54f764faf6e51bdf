"""Compare how good the models are that different searches find with the same number of training tokens.

Stage A is compared with (a) TPE without pruning that trains all seeds, as most scripts do, (b) random search and (c)
TPE with ASHA on epochs only. Then one part of Stage A at a time is changed, and variants of Stage B are compared.
Each search runs the real code (lib.search.worker), but looks its trainings up in a table of real trainings
(search_table.py), so that a repetition takes seconds. Tokens are those that the trainings would have read.
"""

import argparse
import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from optuna.pruners import NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, Trial, TrialState
from scipy import stats
from search_table import AGENT, LANDSCAPES, SEEDS, Table, entry, make, read, setup

from lib.experiment.experiment import Experiment, PrunedError
from lib.metrics.pareto import hypervolume
from lib.schemas.run import SeedResult
from lib.search.collect import rank_trials
from lib.search.strategies import SearchStrategy, stage_a_strategy, stage_b_strategy, with_warm_start
from lib.search.study_results import study_location, trial_result
from lib.search.worker import run_worker
from lib.settings.load import Settings, read_settings
from lib.studies.location import load_trials
from lib.studies.pruners import AshaPruner, is_dominated, min_trials_at_rung, rung_steps
from lib.training.engine import replay

# Every search gets the tokens that this number of trials of (a) needs.
TRIALS = 40
# (tokens so far, development F1, test F1) of each completed trial that was the best so far.
Course = Sequence[tuple[int, float, float]]
# The reference point of the hypervolume: the F1 of a model that predicts one class for all, and an ECE of 0.3.
REFERENCE = (0.35, 0.30)
COLOURS = {"a": "#E69F00", "b": "#999999", "c": "#009E73", "stage A": "#0072B2"}


class SpentError(Exception):
    """Raised when all tokens of a search are spent."""


class Replayed(Experiment):
    """An experiment that looks its trainings up in a table."""

    def __init__(self, settings: Settings, folder: Path, table: Table, tokens: float) -> None:
        """Prepare an experiment for one search.

        Args:
            settings: The settings of the repetition.
            folder: Of the study.
            table: The trainings.
            tokens: The budget; the attribute `left` holds the rest of it.
        """
        super().__init__(settings, AGENT, Path("results"))
        self.results, self.table, self.left = folder, table, tokens

    def development_split(self, number: int) -> Any:
        """Return the number of the seed, since the table knows its split."""
        return number

    def run(self, params: dict[str, Any], split: Any, *, epochs: int, on_epoch: Any = None) -> Any:
        """Return a training of the table, and take its tokens from the budget.

        Args:
            params: Hyper-parameters, under the names of the search space.
            split: The number of the seed, as `development_split` returns it.
            epochs: Not used, since the table has a fixed number of epochs.
            on_epoch: As in `TrainingOptions`.

        Returns:
            The attributes of a run that a worker reads.

        Raises:
            SpentError: The budget does not suffice for the training.
            PrunedError: on_epoch stopped it.
        """
        found = entry(self.table, params, split)
        pruned = replay(found["history"], on_epoch) if on_epoch is not None else None
        self.left -= found["tokens"] * len(found["history"] if pruned is None else pruned.history)
        if self.left < 0:
            raise SpentError
        if pruned is not None:
            raise PrunedError(pruned)
        return SimpleNamespace(
            key="", **{name: found[name] for name in ("history", "best_epoch", "stopped", "scores")}
        )


def settings_of(repetition: int, **stage_a: Any) -> Settings:
    """Return the settings of a repetition.

    Args:
        repetition: Serves as the seed.
        **stage_a: Settings of Stage A that differ from the saved ones.

    Returns:
        The settings.
    """
    settings = read_settings("results/settings.json")
    limits = settings.config.stage_a.model_copy(update=stage_a)
    return settings.model_copy(
        update={"config": settings.config.model_copy(update={"seed": repetition, "stage_a": limits})}
    )


def search(strategy: SearchStrategy, repetition: int, table: Table, tokens: float) -> list[FrozenTrial]:
    """Search until the tokens are spent.

    Args:
        strategy: The search.
        repetition: Determines the settings.
        table: The trainings.
        tokens: The budget.

    Returns:
        The completed and pruned trials, in order.
    """
    settings = settings_of(repetition)
    with tempfile.TemporaryDirectory() as folder:
        experiment = Replayed(settings, Path(folder), table, tokens)
        with contextlib.redirect_stderr(io.StringIO()), contextlib.suppress(SpentError):
            run_worker(experiment, strategy)
        found = load_trials(study_location(settings, Path(folder), AGENT, strategy.stage)) or []
    return [trial for trial in found if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]


def spent(table: Table, trial: FrozenTrial) -> int:
    """Return the tokens that the trainings of a trial read.

    Args:
        table: The trainings.
        trial: A finished trial.

    Returns:
        The non-padding tokens of all epochs of all seeds.
    """
    each = [seed["tokens"] for seed in next(iter(table.trainings.values()))]
    return sum(each[s["seed"]] * s["epochs_run"] for s in trial.user_attrs["seeds"])


def on_test(table: Table, trial: FrozenTrial) -> tuple[float, float]:
    """Return the scores of a trial on the test posts, which no search sees.

    Args:
        table: The trainings.
        trial: A completed trial.

    Returns:
        F1-macro and ECE, each as the mean over the seeds.
    """
    found = [entry(table, trial.params, seed)["test"] for seed in range(SEEDS)]
    return float(np.mean([e["f1_macro"] for e in found])), float(np.mean([e["ece"] for e in found]))


def course(table: Table, trials: Sequence[FrozenTrial]) -> Course:
    """Return the best trial so far as a function of the tokens.

    Args:
        table: The trainings.
        trials: The completed and pruned trials of a search, in order.

    Returns:
        One point for each completed trial that was the best so far.
    """
    total, best, points = 0, -1.0, []
    for trial in trials:
        total += spent(table, trial)
        if trial.state == TrialState.COMPLETE and trial.values[0] > best:
            best = trial.values[0]
            points.append((total, best, on_test(table, trial)[0]))
    return points


# The variants of Stage A.


def _never(*_: Any) -> bool:
    return False


def _report(trial: Trial, epoch: int, best: float) -> bool:
    trial.report(best, epoch)
    return trial.should_prune()


def plain(repetition: int, sampler: Callable[[int], BaseSampler], *, asha: bool = False) -> SearchStrategy:
    """Return a search as most scripts do it, in which a trial trains all seeds.

    Args:
        repetition: Determines settings and seeds.
        sampler: Returns a sampler for a seed.
        asha: Whether ASHA may stop a trial in the epochs of its first seed.

    Returns:
        The strategy.
    """
    pruner = SuccessiveHalvingPruner(min_resource=2, reduction_factor=3) if asha else NopPruner()
    return replace(
        stage_a_strategy(settings_of(repetition), AGENT),
        pruner=pruner,
        after_epoch=_report if asha else None,
        after_seed=_never,
        fixed=(),
        sampler=lambda number: sampler(1000 * repetition + number),
    )


def tpe(seed: int) -> BaseSampler:
    """Return Optuna's default sampler."""
    return TPESampler(seed=seed)


def racing(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Stop a trial that a completed trial beats by more than its noise, as Stage B does.

    Args:
        trial: The running trial.
        seeds: The results of its seeds so far.

    Returns:
        Whether to stop the trial.
    """
    done = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    finished = [[[-s["f1_macro"]] for s in t.user_attrs["seeds"]] for t in done]
    return bool(done) and is_dominated(np.array([[-s.f1_macro] for s in seeds]), np.array(finished))


def wilcoxon(trial: Trial, seeds: list[SeedResult]) -> bool:
    """Stop a trial by a one-sided Wilcoxon test against the best trial, with p of at most 0.25.

    The p of k pairs is at least 2^-k, so with two seeds the best trial must be better in both.

    Args:
        trial: The running trial.
        seeds: The results of its seeds so far.

    Returns:
        Whether to stop the trial.
    """
    done = trial.study.get_trials(deepcopy=False, states=[TrialState.COMPLETE])
    if not done or len(seeds) < 2:
        return False
    best = max(done, key=lambda t: t.values[0]).user_attrs["seeds"]
    lead = [s["f1_macro"] - own.f1_macro for s, own in zip(best, seeds, strict=False)]
    return bool(stats.wilcoxon(lead, alternative="greater").pvalue <= 0.25)


def warm(repetition: int, table: Table, *, good: bool) -> SearchStrategy:
    """Return Stage A with a warm start, as from the study of another agent.

    Args:
        repetition: Determines the settings.
        table: The trainings.
        good: Whether the first trials are the five best points of the table, by test F1, or the five worst to see
            the harm.

    Returns:
        The strategy.
    """
    strategy = stage_a_strategy(settings_of(repetition), AGENT)
    trained = table.trainings
    order = sorted(trained, key=lambda point: -np.mean([seed["test"]["f1_macro"] for seed in trained[point]]))
    chosen = order[:5] if good else order[-5:]
    first = [{**strategy.fixed[0], **dict(zip(table.landscape.grid, point, strict=True))} for point in chosen]
    return replace(
        strategy, fixed=with_warm_start(strategy.fixed, first, min_trials_at_rung(strategy.limits.reduction))
    )


def against_all(repetition: int) -> SearchStrategy:
    """Return Stage A with rungs that compare a trial with all earlier trials that reached the rung."""
    settings = settings_of(repetition)
    limits = settings.config.stage_a
    steps = rung_steps(limits.first_rung, limits.epochs, limits.seeds, limits.reduction)
    return replace(stage_a_strategy(settings, AGENT), pruner=AshaPruner(steps, limits.reduction, recent=10**6))


def knowing(repetition: int, table: Table) -> SearchStrategy:
    """Return Stage A with rungs that know the final score of each trial, as an upper bound for pruning.

    Args:
        repetition: Determines the settings.
        table: The trainings.

    Returns:
        The strategy.
    """

    def judge(trial: Trial, step: int) -> bool:
        ends = [entry(table, trial.params, seed)["scores"]["f1_macro"] for seed in range(SEEDS)]
        trial.report(float(np.mean(ends)), step)
        return trial.should_prune()

    strategy = stage_a_strategy(settings_of(repetition), AGENT)
    epochs = strategy.limits.epochs
    return replace(
        strategy,
        after_epoch=lambda trial, epoch, best: epoch < epochs and judge(trial, epoch),
        after_seed=lambda trial, seeds: judge(trial, epochs + len(seeds) - 1),
    )


def way_a(name: str, repetition: int, table: Table) -> SearchStrategy:
    """Return a variant of Stage A.

    Args:
        name: A key of `WAYS_A`.
        repetition: Determines the settings.
        table: The trainings.

    Returns:
        The strategy.
    """
    ours = stage_a_strategy(settings_of(repetition), AGENT)
    epochs = ours.limits.epochs
    ways: dict[str, Callable[[], SearchStrategy]] = {
        "a": lambda: plain(repetition, tpe),
        "b": lambda: plain(repetition, lambda seed: RandomSampler(seed=seed)),
        "c": lambda: plain(repetition, tpe, asha=True),
        "stage A": lambda: ours,
        "gp": lambda: stage_a_strategy(settings_of(repetition, sampler="gp"), AGENT),
        "seeds: all": lambda: replace(ours, after_seed=_never),
        "seeds: racing": lambda: replace(ours, after_seed=racing),
        "seeds: Wilcoxon": lambda: replace(ours, after_seed=wilcoxon),
        "rungs: against all": lambda: against_all(repetition),
        "start: 10": lambda: stage_a_strategy(settings_of(repetition, startup_trials=10), AGENT),
        "start: random": lambda: replace(ours, fixed=()),
        "start: the best": lambda: warm(repetition, table, good=True),
        "start: the worst": lambda: warm(repetition, table, good=False),
        "rungs: 1 in 3": lambda: stage_a_strategy(settings_of(repetition, reduction=3), AGENT),
        "rungs: from a third": lambda: stage_a_strategy(settings_of(repetition, min_epochs=epochs // 3), AGENT),
        "rungs: from a sixth": lambda: stage_a_strategy(settings_of(repetition, min_epochs=epochs // 6), AGENT),
        "rungs: knowing": lambda: knowing(repetition, table),
    }
    return ways[name]()


WAYS_A = {
    "a": "(a) TPE, no pruning, all seeds",
    "b": "(b) random search, all seeds",
    "c": "(c) TPE + ASHA on epochs, all seeds",
    "stage A": "Stage A",
    "gp": "  a Gaussian process, not TPE",
    "seeds: all": "  no rungs for seeds",
    "seeds: racing": "  racing over seeds in place of rungs",
    "seeds: Wilcoxon": "  Wilcoxon over seeds in place of rungs",
    "rungs: against all": "  rungs compare with all trials (plain ASHA)",
    "start: 10": "  10 start-up trials, not 20",
    "start: random": "  random start-up trials",
    "start: the best": "  warm start, five of the best",
    "start: the worst": "  warm start, five of the worst",
    "rungs: 1 in 3": "  one in three goes on",
    "rungs: from a third": "  first rung at a third of the epochs",
    "rungs: from a sixth": "  first rung at a sixth of them",
    "rungs: knowing": "  rungs that know each trial's end (a bound)",
}
WAYS_B = {
    "nsga2": "NSGA-II",
    "nsga2 racing": "NSGA-II, racing",
    "tpe": "multi-objective TPE",
    "tpe racing": "multi-objective TPE, racing",
}


@dataclass(frozen=True)
class Job:
    """One search.

    Attributes:
        landscape: The name of the table.
        stage: 'a' or 'b'.
        way: A key of `WAYS_A` or `WAYS_B`.
        repetition: Serves as the seed.
    """

    landscape: str
    stage: str
    way: str
    repetition: int


def run_job(job: Job) -> dict[str, Any]:
    """Run a search in the folder of its table, and return its figures."""
    table = read(LANDSCAPES[job.landscape])
    budget = tokens_of(table)
    if job.stage == "a":
        trials = search(way_a(job.way, job.repetition, table), job.repetition, table, budget)
        complete = sum(trial.state == TrialState.COMPLETE for trial in trials)
        return {"course": course(table, trials), "trials": len(trials), "complete": complete}
    # Stage B starts from a Stage A that had a third of the budget.
    best = search(way_a("stage A", job.repetition, table), job.repetition, table, budget / 3)
    settings = settings_of(job.repetition)
    limits = settings.config.stage_b.model_copy(update={"sampler": job.way.split()[0], "racing": "racing" in job.way})
    settings = settings.model_copy(update={"config": settings.config.model_copy(update={"stage_b": limits})})
    first: Any = SimpleNamespace(trials=rank_trials([trial_result(trial) for trial in best]))
    trials = search(stage_b_strategy(settings, AGENT, first), job.repetition, table, budget)
    return {"trials": len(trials), "growth": growth(table, trials, budget)}


def growth(table: Table, trials: Sequence[FrozenTrial], budget: float) -> list[tuple[float, float]]:
    """Return the hypervolume at each tenth of the budget.

    Args:
        table: The trainings.
        trials: The completed and pruned trials of a search, in order.
        budget: The tokens of the search.

    Returns:
        Ten pairs of hypervolumes, on development and on test posts.
    """
    marks, total, found, tested = [], 0, [(0.0, 1.0)], [(0.0, 1.0)]
    for trial in trials:
        total += spent(table, trial)
        while len(marks) < 10 and total > budget * (len(marks) + 1) / 10:
            marks.append((share_dominated(found), share_dominated(tested)))
        if trial.state == TrialState.COMPLETE:
            found.append((trial.values[0], trial.values[1]))
            tested.append(on_test(table, trial))
    last = share_dominated(found), share_dominated(tested)
    return marks + [last] * (10 - len(marks))


def share_dominated(points: Sequence[tuple[float, float]]) -> float:
    """Return the hypervolume of (F1, ECE) points, as a share of that of a perfect model."""
    return hypervolume(points, REFERENCE) / ((1 - REFERENCE[0]) * REFERENCE[1])


def tokens_of(table: Table) -> float:
    """Return the mean tokens of TRIALS trials that train all seeds to their end."""
    each = [sum(seed["tokens"] * len(seed["history"]) for seed in entries) for entries in table.trainings.values()]
    return TRIALS * float(np.mean(each))


# The figures.


def value_at(points: Course, tokens: float, which: int) -> float:
    """Return the F1 of the best trial after a number of tokens.

    Args:
        points: The course of a search.
        tokens: The number of tokens.
        which: 1 for development F1, 2 for test F1.

    Returns:
        The F1, or NaN if no trial was complete by then.
    """
    return next((p[which] for p in reversed(points) if p[0] <= tokens), float("nan"))


def reached(points: Course, f1: float, which: int) -> float:
    """Return the number of tokens after which the best trial has an F1.

    Args:
        points: The course of a search.
        f1: The F1 to reach.
        which: 1 for development F1, 2 for test F1.

    Returns:
        The tokens, or infinity if the F1 is not reached.
    """
    return next((float(p[0]) for p in points if p[which] >= f1), float("inf"))


def interval(values: Sequence[float]) -> str:
    """Return the mean and the half width of its 95 % interval by Student's t, as text."""
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.4f} ± {half:.4f}"


def share_said(courses: Sequence[Course], those_of_a: Sequence[Course], which: int, budget: float) -> str:
    """Return the median share of the budget after which a search reaches the mean final F1 of (a), as text.

    Args:
        courses: The repetitions of the search.
        those_of_a: The repetitions of (a).
        which: 1 for development F1, 2 for test F1.
        budget: The tokens of a search.

    Returns:
        The share with its 95 % interval, a bootstrap over the repetitions of both searches. '–' means never.
    """
    ends = np.array([value_at(points, budget, which) for points in those_of_a])
    generator = np.random.default_rng(0)

    def median(own: NDArray[np.intp], other: NDArray[np.intp]) -> float:
        goal = float(ends[other].mean())
        return float(np.median([reached(courses[i], goal, which) for i in own])) / budget

    everything = np.arange(len(courses))
    drawn = [median(*generator.integers(0, len(courses), (2, len(courses)))) for _ in range(400)]
    low, high = np.quantile(drawn, [0.025, 0.975], method="closest_observation")
    middle, low, high = (f"{v:.0%}" if np.isfinite(v) else "–" for v in (median(everything, everything), low, high))
    return f"{middle} [{low}, {high}]"


def done_in(found: dict[Job, dict[str, Any]], stage: str) -> list[str]:
    """Return the variants of a stage that were run.

    Args:
        found: The figures of each search.
        stage: 'a' or 'b'.

    Returns:
        Keys of `WAYS_A` or `WAYS_B`, in order.
    """
    return list(dict.fromkeys(job.way for job in found if job.stage == stage))


def say_a(found: dict[Job, dict[str, Any]], landscape: str, repetitions: int, budget: float) -> None:
    """Print the table of Stage A.

    Args:
        found: The figures of each search.
        landscape: The name of the table of trainings.
        repetitions: The number of repetitions.
        budget: The tokens of a search.
    """
    runs = {way: [found[Job(landscape, "a", way, r)] for r in range(repetitions)] for way in done_in(found, "a")}
    courses = {way: [run["course"] for run in runs[way]] for way in runs}
    print(f"\n{landscape}: {budget / 1e6:.1f} M tokens each, {repetitions} repetitions")
    print("| search | trials | complete | development F1 | test F1 | tokens to (a)'s F1 | to (a)'s test F1 |")
    print("|---|---|---|---|---|---|---|")
    for way, those in courses.items():
        ends = [interval([value_at(points, budget, which) for points in those]) for which in (1, 2)]
        shares = [share_said(those, courses["a"], which, budget) for which in (1, 2)]
        done, complete = (f"{np.mean([run[key] for run in runs[way]]):.0f}" for key in ("trials", "complete"))
        print(f"| {WAYS_A[way]} | {done} | {complete} | {' | '.join(ends + shares)} |")


def say_b(found: dict[Job, dict[str, Any]], landscape: str, repetitions: int) -> None:
    """Print the table of Stage B.

    Args:
        found: The figures of each search.
        landscape: The name of the table of trainings.
        repetitions: The number of repetitions.
    """
    print(
        "\n| Stage B | trials | hypervolume at 30 % of the tokens | at the end | on test posts |"
        "\n|---|---|---|---|---|"
    )
    for way in done_in(found, "b"):
        results = [found[Job(landscape, "b", way, r)] for r in range(repetitions)]
        early, end, test = (
            interval([r["growth"][tenth][which] for r in results]) for tenth, which in ((2, 0), (9, 0), (9, 1))
        )
        print(f"| {WAYS_B[way]} | {np.mean([r['trials'] for r in results]):.0f} | {early} | {end} | {test} |")


def draw(found: dict[Job, dict[str, Any]], repetitions: int, budgets: dict[str, float], path: Path) -> None:
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
            for way in [way for way in done_in(found, "a") if way in COLOURS]:
                courses = [found[Job(landscape, "a", way, r)]["course"] for r in range(repetitions)]
                values = np.array([[value_at(points, budget * share, which) for share in grid] for points in courses])
                mean, error = values.mean(0), values.std(0, ddof=1) / np.sqrt(repetitions)
                half = stats.t.ppf(0.975, repetitions - 1) * error
                axes.plot(100 * grid, mean, color=COLOURS[way], label=WAYS_A[way])
                axes.fill_between(100 * grid, mean - half, mean + half, color=COLOURS[way], alpha=0.15, linewidth=0)
            axes.set_xlabel("training tokens, % of the budget")
            axes.set_ylabel(f"{landscape}: {title} F1-macro")
            axes.spines[["top", "right"]].set_visible(False)
    panels[0, 1].legend(frameon=False, fontsize=8)
    figure.savefig(path, format="svg", metadata={"Date": None})


def searched(
    landscape: str, corpus: str | None, folder: Path, repetitions: int, ways: Sequence[str]
) -> tuple[float, dict[Job, Any]]:
    """Compute a landscape's table if it is missing, and run all searches on it.

    Args:
        landscape: The name of the table.
        corpus: Folder of a corpus, or None to generate one.
        folder: Keeps corpus, backbones and table.
        repetitions: The number of repetitions.
        ways: Keys of `WAYS_A` and `WAYS_B`.

    Returns:
        The tokens of a search, and the figures of each search.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(Path("config").resolve())
    with chdir(folder):
        setup(LANDSCAPES[landscape], corpus)
        make(LANDSCAPES[landscape], os.cpu_count() or 1)
        stages = [("a", way) for way in WAYS_A if way in ways] + [("b", way) for way in WAYS_B if way in ways]
        jobs = [Job(landscape, stage, way, r) for stage, way in stages for r in range(repetitions)]
        with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
            found = dict(zip(jobs, pool.map(run_job, jobs), strict=True))
        return tokens_of(read(LANDSCAPES[landscape])), found


def run() -> None:
    """Run the searches, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of a corpus (default: generate one)")
    parser.add_argument(
        "--folder", type=Path, default=Path(".bench/search"), help="folder that keeps the tables of trainings"
    )
    parser.add_argument("--landscape", nargs="+", choices=list(LANDSCAPES), default=list(LANDSCAPES), help="tables")
    parser.add_argument("--repetitions", type=int, default=5, help="number of repetitions of each search")
    every = [*WAYS_A, *WAYS_B]
    parser.add_argument("--ways", nargs="+", choices=every, default=every, help="searches to run; (a) always runs")
    parser.add_argument("--picture", type=Path, help="SVG file to draw F1 against tokens")
    options = parser.parse_args()
    corpus = None if options.corpus is None else str(Path(options.corpus).resolve())
    found: dict[Job, Any] = {}
    budgets = {}
    for landscape in options.landscape:
        folder = options.folder / landscape
        budgets[landscape], results = searched(landscape, corpus, folder, options.repetitions, ["a", *options.ways])
        found |= results
        say_a(results, landscape, options.repetitions, budgets[landscape])
        if done_in(results, "b"):
            say_b(results, landscape, options.repetitions)
    if options.picture is not None:
        draw(found, options.repetitions, budgets, options.picture)


if __name__ == "__main__":
    run()
