"""The stages: workers that do trials and folds, jobs that collect them."""

import time
from argparse import Namespace
from typing import TYPE_CHECKING

from lib.cli.common import experiment_of, folds_of, inside, say, search_of
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.search.plans import Plan


def stage_a_worker(options: Namespace) -> None:
    """Do trials of Stage A."""
    from lib.search.documents import StageA, read_searched
    from lib.search.plans import plan_a

    settings = read_settings(options.settings)
    earlier = [
        read_searched(StageA, options.results / name / "stage_a_top50.json", settings.space)
        for name in settings.config.earlier(options.agent)
    ]
    _serve(options, settings, plan_a(settings, options.agent, earlier))


def stage_a(options: Namespace) -> None:
    """Keep the best of Stage A."""
    from lib.reporting import figures, ink
    from lib.search.stage_a import stage_a as collect

    search = search_of(options)
    trials = search.finished("stage_a", search.settings.config.stage_a.trials)
    result = collect(search, trials)
    ink.save(figures.history(trials), inside(options, "stage_a.svg"))
    result.write(inside(options, "stage_a_top50.json"))


def stage_b_worker(options: Namespace) -> None:
    """Do trials of Stage B."""
    from lib.search.documents import StageA, read_searched
    from lib.search.plans import plan_b

    settings = read_settings(options.settings)
    best = read_searched(StageA, inside(options, "stage_a_top50.json"), settings.space)
    _serve(options, settings, plan_b(settings, options.agent, best))


def stage_b(options: Namespace) -> None:
    """Rank the trials of Stage B."""
    from lib.reporting import figures, ink
    from lib.search.stage_b import stage_b as collect

    result = collect(search_of(options))
    ink.save(figures.front(result), inside(options, "stage_b.svg"))
    result.write(inside(options, "stage_b_pareto.json"))


def _serve(options: Namespace, settings: Settings, plan: "Plan") -> None:
    """Do trials of a study, with partners on the same GPU, and write which."""
    from lib.cli.processes import Partners, end_with_parent, lease_gpu
    from lib.search.documents import Served
    from lib.search.serving import serve

    if options.partner:
        end_with_parent()
        gpu, partners = None, None
    else:
        gpu, partners = lease_gpu(settings), Partners(options, settings.config.trials_per_gpu)
    experiment = experiment_of(options)
    served = serve(experiment, plan)
    for output in partners.outputs() if partners is not None else []:
        served = served.with_those_of(Served.read(output))
        output.unlink()
    served.write(options.output)
    if gpu is not None:
        gpu.release()


def stage_c_candidates(options: Namespace) -> None:
    """Choose the candidates."""
    from lib.search.documents import StageB, read_searched
    from lib.search.selection import candidates

    search = search_of(options)
    front = read_searched(StageB, inside(options, "stage_b_pareto.json"), search.settings.space)
    candidates(search, front).write(inside(options, "stage_c/candidates.json"))


def stage_c_fold(options: Namespace) -> None:
    """Cross-validate one candidate on one fold."""
    from lib.cli.processes import lease_gpu
    from lib.search.documents import Candidates
    from lib.search.stage_c import fold

    chosen = Candidates.read(inside(options, "stage_c/candidates.json"))
    gpu = lease_gpu(read_settings(options.settings))
    result = fold(experiment_of(options), chosen, options.candidate, options.fold)
    result.write(inside(options, f"stage_c/{options.candidate}-{options.fold}.json"))
    say(
        f"stage_c {options.agent}  candidate {options.candidate}  {result.split}"
        f"  F1 {result.scores['f1_macro']:.3f}  ECE {result.scores['ece']:.3f}"
        f"  best epoch {result.best_epoch}  {result.performance['seconds']:.1f} s"
    )
    if gpu is not None:
        gpu.release()


def stage_c_baseline(options: Namespace) -> None:
    """Score the baseline on the folds."""
    from lib.search.baseline import baseline

    baseline(experiment_of(options)).write(inside(options, "stage_c/baseline.json"))


def stage_c(options: Namespace) -> None:
    """Rank the candidates and choose."""
    from lib.reporting import figures, ink
    from lib.search.documents import Baseline, Candidates
    from lib.search.stage_c import collect

    experiment = experiment_of(options)
    chosen = Candidates.read(inside(options, "stage_c/candidates.json"))
    folds = folds_of(options, experiment.settings)
    result = collect(experiment, chosen, folds, Baseline.read(inside(options, "stage_c/baseline.json")))
    ink.save(figures.folds(result), inside(options, "stage_c.svg"))
    result.write(inside(options, "stage_c.json"))
    f1, ece, base = result.choice["f1_macro"], result.choice["ece"], result.baseline["f1_macro"]
    say(
        f"stage_c {options.agent}: chose candidate {result.choice['candidate']}"
        f" ({result.choice['params']['model.backbone']}): F1-macro {f1['mean']:.3f} ± {f1['standard_error']:.3f},"
        f" ECE {ece['mean']:.3f}; {result.baseline['name']}:"
        f" F1-macro {base['mean']:.3f} ± {base['standard_error']:.3f}"
    )


def baseline(options: Namespace) -> None:
    """Score what a search must beat."""
    from lib.cli.processes import lease_gpu
    from lib.search.baseline import yardsticks

    gpu = lease_gpu(read_settings(options.settings))
    found = yardsticks(experiment_of(options))
    found.write(inside(options, "baseline.json"))
    each = "; ".join(f"{entry.name} F1-macro {entry.f1_macro:.3f}, ECE {entry.ece:.3f}" for entry in found.entries)
    say(f"baseline {options.agent}: {each}")
    if gpu is not None:
        gpu.release()


def status(options: Namespace) -> None:
    """Say where every study stands."""
    from lib.search.status import describe

    settings = read_settings(options.settings)
    while True:
        print(describe(settings, options.results))
        if options.watch is None:
            return
        time.sleep(options.watch)
