"""The report of an agent, with the search, its results, their uncertainty, the costs and the failures."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.trial import FrozenTrial

from lib.metrics.formatting import (
    format_bias_corrected,
    format_count,
    format_delivered,
    format_excluded,
    format_groups,
    format_interval,
    format_p,
    format_picks,
    format_score,
    format_times,
    format_trainings,
    format_unknown_sets,
    format_without_positive,
)
from lib.metrics.objective import SCORE_NAMES, WITHHELD, Objective, population_name
from lib.metrics.squad_scores import SPAN_COLUMNS, squad_rows
from lib.reporting import figures
from lib.reporting.costs import Cost, read_costs, total_cost
from lib.reporting.nested import deviation_rows, deviations, plot_nested
from lib.reporting.page import Section, Table, render_page
from lib.reporting.report_data import ReportData
from lib.schemas.evaluation import ModelScores, StageCResult, TestEvaluation
from lib.schemas.run import Run
from lib.settings.config import CostSettings
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.outer_folds import search_folders
from lib.tasks.examples import WeightedSample


def render_report(data: ReportData) -> str:
    """Return the report as one HTML page."""
    return render_page(
        f"The {data.agent.name} agent: report", headline(data.test, data.stage_c), list(_sections(data))
    )


def headline(test: TestEvaluation, result: StageCResult) -> list[str]:
    """Return the summary at the top of the report.

    Args:
        test: The evaluation on the test set.
        result: The result of Stage C.

    Returns:
        A few sentences, each a paragraph.
    """
    chosen = test.models[0]
    strongest, comparison = test.strongest()
    cv = result.objective_of(test)
    met = "; ".join(f"{name}: {'met' if is_met else 'NOT met'}" for name, is_met in test.targets.items())
    significance = "not significant" if comparison.f1_macro["p"] >= 0.05 else "significant"
    where = population_name(test.population)
    seeds = [] if test.delivers_ensemble else test.seeds
    trainings = format_trainings([each["f1_macro"] for each in seeds], f"F1-macro ({where})")
    return [
        f"Chosen: {format_delivered(test.chosen)}, on {test.sizes['posts']} test"
        f" posts ({test.sizes['groups']} groups): F1-macro ({where}) {format_interval(chosen.f1_macro)},"
        f" ECE ({where}) {format_interval(chosen.ece)};"
        f" cross-validated {result.objective} {cv['mean']:.3f} ± {cv['standard_error']:.3f}.",
        *([trainings] if trainings else []),
        *_by_post(chosen),
        f"Strongest baseline: {strongest.name}, F1-macro ({where}) {format_interval(strongest.f1_macro)};"
        f" difference {comparison.f1_macro['value']:+.3f},"
        f" p {format_p(comparison.f1_macro['p'])} ({significance} at 0.05).",
        *(
            f"It predicts {prediction} for every test example{task}, so its decisions distinguish nothing."
            for task, prediction in _constant_predictions(test)
        ),
        *(
            f"Warning, {task}: {found.sentence(where)}."
            for task, found in test.calibration_in_the_large.items()
            if found.shift
        ),
        f"Targets ({where}): {met}.",
        f"The test set has been opened {format_times(len(test.openings))}"
        + ("." if len(test.openings) == 1 else "; scores after the first time are no longer on unseen posts."),
    ]


def _by_post(chosen: ModelScores) -> list[str]:
    if "post_criterion" not in chosen.scores:
        return [WITHHELD]
    posts = chosen.scores["post_criterion"]["post"]
    pairs, sets = chosen.intervals["post_criterion"], chosen.intervals["post"]
    return [
        f"At natural prevalence by (post, criterion): F1-macro {format_interval(pairs['f1_macro'])},"
        f" ECE {format_interval(pairs['ece'])}."
        " At natural prevalence by post (set of criteria, or none):"
        f" F1-macro {format_interval(sets['f1_macro'])}, F1-micro"
        f" {format_interval(sets['f1_micro'])}. The model predicts"
        f" {posts['criteria_predicted']:.2f} criteria per post; {posts['criteria_true']:.2f} per post are true. For"
        f" {posts['every_criterion_predicted']:.0%} of the posts the model predicts every criterion."
        f"{format_unknown_sets(posts)}"
    ]


def _sections(data: ReportData) -> Sequence[Section]:
    a, limits = data.trials["stage_a"], data.settings.config.stage_a
    excluded = data.settings.config.corpus.excluded_criteria
    weights = figures.estimate_importances(a, data.settings.config.seed)
    names = list(weights)[:7] or [name for name in _varied(a) if all(name in trial.params for trial in a)][:7]
    return [
        Section(
            "Test set",
            "All models were trained before the test set was opened. The 95 % intervals come from drawing groups of"
            " posts with replacement, and p from swapping the two models' results of groups at random."
            f" {format_groups(with_authors=data.settings.config.corpus.knows_authors)}"
            " Populations and scores are defined in docs/metrics.md."
            + (" A model that always abstains has HasAns 0 and NoAns 1." if _span_tables(data.test) else ""),
            [figures.plot_model_comparison(data.test)],
            [*_models(data.test), _baselines(data)],
            wide=True,
        ),
        Section(
            "Criteria",
            f"F1 on the test set ({population_name(data.test.population)}), compared with the strongest baseline, and"
            " confusion counts. A criterion without a positive has no F1 and is left out of averages. Positive means"
            f" that the criterion is met, or that there is evidence.{_left_out_notes(data.test, excluded)}",
            tables=_criterion_tables(data.test),
        ),
        Section(
            "Calibration",
            "Bars show how often predictions with a given confidence were right; the dashed line is perfect"
            " calibration. The area of a dot shows the number of predictions. 'Before' is without rules. They are all"
            f" of the chosen candidate on its held-out folds ({population_name(data.test.population)}).",
            [figures.plot_reliability(_reliability(data))],
            [_temperatures(data)],
            wide=True,
        ),
        Section("Stage A: history", "", [figures.plot_history(a, data.objective)], [_trial_counts(data)]),
        Section(
            "Stage A: rungs",
            "At each rung, ASHA continues a trial if it is among the better of the last trials that reached it.",
            [figures.plot_rungs(a, limits, data.settings.config.training.epochs)],
        ),
        Section(
            "Stage A: parameter importance",
            "PED-ANOVA shows which parameters separate the best tenth of the completed trials from all of them, and"
            f" fANOVA shows which explain {data.objective.name} over the whole space. The sampler chose the trials,"
            " so this is correlation, not a controlled experiment.",
            [figures.plot_importances(weights)],
        ),
        Section(
            "Stage A: parallel coordinates",
            f"Each line is a completed trial; the best tenth by {data.objective.name} is blue.",
            [figures.plot_parallel_coordinates(a, names, data.objective)],
            wide=True,
        ),
        Section("Stage B: Pareto front", "", [figures.plot_pareto_front(data.stage_b, data.objective)], wide=True),
        Section(
            "Stage C: cross-validation",
            f"{data.stage_c.choice['rule']}. {_lead_of_best(data.stage_c)}"
            f" {format_bias_corrected(data.stage_c.bias_corrected, data.stage_c.objective)}".rstrip(),
            [figures.plot_folds(data.stage_c)],
            [_ranking(data.stage_c, data.objective)],
            wide=True,
        ),
        *_nested(data),
        Section(
            "Learning curves",
            "Trainings of the chosen configuration in Stage B. Those of Stage C and of the final model end after"
            f" {format_count(_epochs(data), 'epoch')}.",
            [figures.plot_learning_curves({run.split: run.history for run in data.searched}, data.objective)],
            wide=True,
        ),
        Section("Augmentation", "", [figures.plot_method_effects(data.stage_a.augmentation or [], data.objective)]),
        Section(
            "Time and cost",
            "Time of the finished jobs, from Snakemake's benchmarks, at the rates of `costs` in the configuration.",
            tables=[_costs(data), _throughput([*data.searched, *data.runs])],
        ),
        Section("Failed trials", "", tables=[table] if (table := _failures(data.trials)).rows else []),
        Section("The chosen configuration", "", tables=[Table(["hyper-parameter", "value"], _params(data))]),
        Section("Provenance", "", tables=[_provenance(data)]),
    ]


def _varied(trials: Sequence[FrozenTrial]) -> list[str]:
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    return [name for name in names if len({str(t.params.get(name)) for t in trials}) > 1]


_SCORES = ("f1_macro", "f1_micro", "f1_yes_no", "ece")
_RATES = (
    "precision",
    "sensitivity",
    "average_precision",
    "auroc",
    "prevalence",
    "yes_rate",
    "mean_probability",
    "brier_skill",
)


def _left_out_notes(test: TestEvaluation, excluded: Sequence[str]) -> str:
    """Return sentences, each after a space, about criteria that are left out of scores."""
    found = [format_excluded(excluded), format_without_positive(test.models[0].scores["without_positive"])]
    return "".join(f" {sentence}" for sentence in found if sentence)


def _models(test: TestEvaluation) -> list[Table]:
    """Return a table for each level, with the scores of every model and the comparison with the chosen one."""
    tables = []
    for level, intervals in test.models[0].intervals.items():
        names = [name for name in _SCORES if name in intervals]
        rows = []
        for model, comparison in zip(test.models, [None, *test.against], strict=True):
            scores = [format_interval(model.intervals[level][name]) for name in names]
            lead = None if comparison is None else comparison.levels[level]
            rows.append([model.name, *scores, *(["", ""] if lead is None else _lead(lead))])
        columns = [SCORE_NAMES[name] for name in names]
        tables.append(Table([population_name(level), *columns, "F1-macro difference, chosen − model", "p"], rows))
    return [*tables, *_span_tables(test), _rates(test), *_predicted_sets(test)]


def _span_tables(test: TestEvaluation) -> list[Table]:
    """Return total, HasAns and NoAns of each model in each population; no table if the agent predicts no spans."""
    rows = squad_rows({model.name: model.intervals for model in test.models})
    return [Table(SPAN_COLUMNS, rows)] if rows else []


def _lead(lead: Mapping[str, float]) -> list[str]:
    return [f"{lead['value']:+.3f}", format_p(lead["p"])]


def _rates(test: TestEvaluation) -> Table:
    """Return the scores `_RATES` of each model in each population. Those of each of two tasks have no interval."""
    rows = []
    for model in test.models:
        levels = {test.population: model.scores, "annotated": model.scores["annotated"]}
        if "post_criterion" in model.scores:
            levels["post_criterion"] = model.scores["post_criterion"]
        for level, scores in levels.items():
            intervals = model.intervals[level]
            cells = [
                format_score(intervals[name]) if name in intervals else _score(scores.get(name)) for name in _RATES
            ]
            rows.append([model.name, population_name(level), *cells])
            for task, own in _tasks(scores).items():
                if task:
                    rows.append(
                        [f"{model.name} ({task})", population_name(level), *(_score(own[name]) for name in _RATES)]
                    )
    return Table(["model", "population", *(SCORE_NAMES[name] for name in _RATES)], rows)


def _predicted_sets(test: TestEvaluation) -> list[Table]:
    """Return how many criteria of a post each model predicts; no table if natural prevalence is withheld."""
    rows = []
    for model in test.models:
        if "post_criterion" in model.scores:
            met, intervals = model.scores["post_criterion"]["post"]["criteria_true"], model.intervals["post"]
            predicted, every = (
                format_interval(intervals[name]) for name in ("criteria_predicted", "every_criterion_predicted")
            )
            rows.append([model.name, predicted, f"{met:.3f}", every])
    columns = [
        "criteria predicted per post",
        "criteria met per post",
        "share of posts with every criterion predicted",
    ]
    return [Table([f"{population_name('natural')}, by post", *columns], rows)] if rows else []


def _baselines(data: ReportData) -> Table:
    rows = [[e.name, f"{e.objective:.3f}", f"{e.calibration_error:.3f}"] for e in data.baselines.entries]
    return Table(["baseline on development splits", data.objective.name, data.objective.full_calibration_name], rows)


def _tasks(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores by task; the name of an only task is empty."""
    parts: dict[str, Any] = {name: scores[name] for name in ("label", "span") if name in scores}
    return parts or {"": scores}


def _scores_by_task(test: TestEvaluation) -> dict[str, Any]:
    """Return the chosen model's scores by task."""
    return _tasks(test.models[0].scores)


def _constant_predictions(test: TestEvaluation) -> list[tuple[str, str]]:
    """Return the tasks in which the chosen model predicts the same for all examples, and its prediction."""
    found = []
    for name, scores in _scores_by_task(test).items():
        counts = scores["confusion"]
        positive, negative = (
            sum(counts[f"{kind}_{sign}"] for kind in ("true", "false")) for sign in ("positive", "negative")
        )
        if not positive or not negative:
            found.append((f" ({name})" if name else "", "positive" if positive else "negative"))
    return found


def _criterion_tables(test: TestEvaluation) -> list[Table]:
    tables, where = [_criteria_against_baseline(test)], population_name(test.population)
    for name, scores in _scores_by_task(test).items():
        rows = [["all", f"{scores['f1_macro']:.3f}", *_confusion(scores["confusion"])]]
        for criterion, own in scores["per_criterion"].items():
            rows.append([criterion, _score(own["f1"]), *_confusion(own["confusion"])])
        columns = [f"F1 ({where})", "true positive", "false positive", "false negative", "true negative"]
        tables.append(Table([name or "criterion", *columns], rows))
    return tables


def _criteria_against_baseline(test: TestEvaluation) -> Table:
    """Compare the chosen model with the strongest baseline, by criterion."""
    strongest, comparison = test.strongest()
    rows = []
    for criterion, own in test.models[0].per_criterion.items():
        lead, other = comparison.per_criterion[criterion], strongest.per_criterion[criterion]
        difference = f"{lead['value']:+.3f} [{lead['low']:+.3f}, {lead['high']:+.3f}]"
        scores = [format_interval(each) for each in (own, other)]
        rows.append([criterion, *scores, difference, format_p(lead["p"]), format_p(lead["p_holm"])])
    score = f"F1 ({population_name(test.population)})"
    return Table(["criterion", score, strongest.name, "difference", "p", "p (Holm)"], rows)


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _confusion(counts: Mapping[str, float]) -> list[int]:
    return [round(counts[name]) for name in ("true_positive", "false_positive", "false_negative", "true_negative")]


def _reliability(data: ReportData) -> dict[str, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return (confidence, right) of each panel, for every task before and after calibration on the held-out folds.

    Only the pairs of the evaluation's population whose criterion counts are shown, decided as for its scores.
    """
    agent, folds = data.agent, [fold for fold in data.folds if fold.candidate == data.stage_c.choice["candidate"]]
    hyper, examples = Hyperparameters.of(folds[0].params), data.examples
    natural = data.test.population == "natural"
    decide = agent.decide if natural else agent.decide_annotated
    shown = examples.counted & (examples.natural if natural else examples.annotated)
    held_out = [examples.indices_of(fold.examples) for fold in folds]
    places = [np.flatnonzero(shown[where]) for where in held_out]
    known = [(agent.load_logits(fold.logits), where) for fold, where in zip(folds, held_out, strict=True)]
    neutral = agent.neutral_rules(sorted(set(examples.criterion)))
    values = {
        "before": [agent.rule_values(neutral, examples, where) for where in held_out],
        "after": [agent.cross_fit(own, examples, WeightedSample.uniform(where), hyper) for own, where in known],
    }
    panels = {}
    for task in agent.tasks:
        head = f"{task.name}: " if len(agent.tasks) > 1 else ""
        for when in ("before", "after"):
            found = []
            for (logits, where), fitted, own in zip(known, values[when], places, strict=True):
                chosen = {name: each.select(own) for name, each in fitted.items()}
                predictions = decide(agent.select(logits, own), chosen, hyper)
                found.append(predictions[task.name].reliability(examples, where[own]))
            confidence, right = (np.concatenate(each) for each in zip(*found, strict=True))
            panels[f"{head}{when} calibration"] = confidence, right
    return panels


def _epochs(data: ReportData) -> int:
    return next(fold.epochs for fold in data.folds if fold.candidate == data.stage_c.choice["candidate"])


def _temperatures(data: ReportData) -> Table:
    """Return the temperatures and offsets that suit each of the first folds of the chosen candidate as a whole."""
    agent, examples = data.agent, data.examples
    chosen = [fold for fold in data.folds if fold.candidate == data.stage_c.choice["candidate"]]
    rows = []
    for fold in chosen[:10]:
        logits, index = agent.load_logits(fold.logits), examples.indices_of(fold.examples)
        hyper = Hyperparameters.of(fold.params)
        rules = agent.fit_rules(logits, examples, WeightedSample.uniform(index), hyper)
        means = [(rule.mean_temperature, float(np.mean(list(rule.offset.values())))) for rule in rules.values()]
        rows.append([fold.split, *(text for pair in means for text in (f"{pair[0]:.3f}", f"{pair[1]:+.3f}"))])
    columns = [f"{what} of {task.name}" for task in agent.tasks for what in ("mean temperature", "mean offset")]
    return Table(["fold", *columns], rows)


def _trial_counts(data: ReportData) -> Table:
    rows = [
        [name, c.complete + c.pruned + c.failed, c.complete, c.pruned, c.failed]
        for name, c in (("Stage A", data.stage_a.counts), ("Stage B", data.stage_b.counts))
    ]
    return Table(["", "trials", "complete", "pruned", "failed"], rows)


def _lead_of_best(result: StageCResult) -> str:
    significant = result.choice["lead_of_best_is_significant"]
    if significant is None:
        return "No other candidate has a result on every fold."
    return f"The lead of the best candidate over the next is {'' if significant else 'not '}significant."


def _ranking(result: StageCResult, objective: Objective) -> Table:
    rows = []
    for entry in result.ranking:
        score, error, p = entry["objective"], entry["calibration_error"], entry["against_best"]
        rows.append(
            [
                f"candidate {entry['candidate']}",
                entry["params"]["model.backbone"],
                f"{score['mean']:.3f} ± {score['standard_error']:.3f}",
                f"{error['mean']:.3f}",
                "" if p is None else format_p(p["p"]),
                "yes" if entry["candidate"] == result.choice["candidate"] else _given_up(entry),
            ]
        )
    if result.ensemble is not None:
        score, error = result.ensemble["objective"], result.ensemble["calibration_error"]
        rows.append(
            [
                f"ensemble of {format_picks(result.ensemble['picks'])}",
                "",
                f"{score['mean']:.3f} ± {score['standard_error']:.3f}",
                f"{error['mean']:.3f}",
                format_p(result.ensemble["against_best"]["p"]),
                "",
            ]
        )
    columns = ["", "backbone", objective.name, objective.full_calibration_name, "p against the best", "chosen"]
    return Table(columns, rows)


def _given_up(entry: Mapping[str, Any]) -> str:
    folds = entry["given_up_after"]
    return "" if folds is None else f"given up after {format_count(folds, 'fold')}"


def _nested(data: ReportData) -> list[Section]:
    """Return the deviations between seeds, splits and searches, and the searches of the outer folds if any."""
    nested, objective = data.nested, data.objective
    found = deviations(objective, data.stage_c, data.test) if nested is None else nested.deviations
    columns = [f"standard deviation of {objective.name} between", "measured", "its own part"]
    text = (
        "Other splits also have other seeds, and other searches other splits and seeds; the own part is what remains"
        " without these."
    )
    sections = [Section("Variance", text, tables=[Table(columns, deviation_rows(found))])]
    if nested is None:
        return sections
    rows = [
        [f"outer fold {each['fold']}", each["backbone"], *(_score(each[name]) for name in _SEARCH_SCORES)]
        for each in nested.searches
    ]
    heads = ["", "backbone", nested.objective, "cross-validated", "its best candidate, bias-corrected"]
    mean, error = nested.score["mean"], nested.score["standard_error"]
    text = (
        f"Each outer fold repeated the whole search on the other development posts. On their own posts the delivered"
        f" models have a mean {nested.objective} of {mean:.3f} ± {error:.3f}, which is the score of the search as a"
        " procedure."
    )
    return [*sections, Section("Nested cross-validation", text, [plot_nested(nested)], [Table(heads, rows)])]


_SEARCH_SCORES = ("score", "cross_validated", "bias_corrected")


def _costs(data: ReportData) -> Table:
    rates: CostSettings = data.settings.config.costs
    gpu = data.stage_c.provenance.device.startswith("cuda") or _on_gpu(data.runs)
    _, *outer = search_folders(data.settings.config, data.folder.parent)
    parts = read_costs(data.folder, rates, gpu=gpu, outer=[fold / data.folder.name for fold in outer])
    rows = [_cost_row(part, rates) for part in [*parts, total_cost(parts)]] if parts else []
    return Table(["", "jobs", "hours", "GPU hours", "memory, MB", "kWh", rates.currency], rows)


def _cost_row(c: Cost, rates: CostSettings) -> list[Any]:
    hours = [f"{c.hours:.3f}", f"{c.gpu_hours:.3f}", f"{c.memory_mb:.0f}", f"{c.kwh:.3f}", f"{c.money:.2f}"]
    return [c.stage, c.jobs, *hours]


def _on_gpu(runs: Sequence[Run]) -> bool:
    return any(run.provenance.device.startswith("cuda") for run in runs)


def _throughput(runs: Sequence[Run]) -> Table:
    names = {
        "tokens_per_second": "non-padding tokens per second",
        "cpu_cores": "CPU cores kept busy",
        "gpu_percent": "GPU utilisation, %",
        "data_step_ratio": "data/step ratio",
        "scoring_ratio": "time to score an epoch / to train it",
        "peak_memory_mb": "peak memory, MB",
        "seconds": "seconds",
    }
    rows = []
    for name, description in names.items():
        # Those of Stage C score no epoch.
        values = [
            run.performance[name]
            for run in runs
            if name in run.performance and (name != "scoring_ratio" or run.scores)
        ]
        if values:
            rows.append([description, f"{np.median(values):.4g}", f"{min(values):.4g}", f"{max(values):.4g}"])
    return Table(["trainings of the chosen configuration", "median", "lowest", "highest"], rows)


def _failures(trials: Mapping[str, Sequence[FrozenTrial]]) -> Table:
    reasons = Counter(
        (stage, str(trial.user_attrs["reason"]))
        for stage, own in trials.items()
        for trial in own
        if "reason" in trial.user_attrs
    )
    return Table(["stage", "reason", "trials"], [[*key, n] for key, n in reasons.most_common()])


def _params(data: ReportData) -> list[list[Any]]:
    return [
        [name, f"{value:.4g}" if isinstance(value, float) else value]
        for name, value in data.stage_c.choice["params"].items()
    ]


def _provenance(data: ReportData) -> Table:
    made = data.test.provenance
    rows: list[list[Any]] = [
        ["code", made.code_version],
        ["configuration", made.config_hash],
        ["corpus", made.corpus_hash],
        ["seed", made.seed],
        ["device", made.device],
        ["finished", made.finished],
        ["packages", ", ".join(f"{name} {version}" for name, version in made.packages.items())],
    ]
    rows += [["test set opened", f"{o.when} by {o.code_version} for {o.model}"] for o in data.test.openings]
    return Table(["", ""], rows)
