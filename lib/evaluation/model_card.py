"""Write the model card, which describes a model's purpose, origin, scores and limits."""

from collections.abc import Sequence

from lib.metrics.formatting import (
    format_count,
    format_excluded,
    format_groups,
    format_interval,
    format_picks,
    format_score,
    format_times,
    format_trainings,
    format_unknown_sets,
    format_without_positive,
    markdown_table,
)
from lib.metrics.objective import SCORE_NAMES, WITHHELD, in_population, population_name
from lib.metrics.squad_scores import SPAN_COLUMNS, squad_rows
from lib.schemas.evaluation import ModelManifest, ModelScores, TestEvaluation
from lib.tasks.decision import load_rules

_INTENDED_USE = """\
## Intended use and limits

The model is for research on texts like those it was trained on. It gives **no diagnosis** and no advice, and it must
not decide about a person. It knows the criteria listed above and no others. {calibrated} On texts of another kind
(another forum, language, time or length), neither the probabilities nor the F1 scores apply. People did not write
their posts for research, so treat texts and predictions as personal data.
"""


_SCORES = (
    "f1_macro",
    "f1_micro",
    "precision",
    "sensitivity",
    "average_precision",
    "auroc",
    "ece",
    "brier_skill",
    "yes_rate",
    "mean_probability",
)
_FITTED = {"label": "whether a pair's criterion is met", "span": "whether there is evidence, but not where it is"}
_UNKNOWN = " Unannotated pairs have no label in this corpus, so on all sentences the model predicts yes too often."


def model_card(
    manifest: ModelManifest, test: TestEvaluation, *, generated: bool, with_authors: bool, excluded: Sequence[str]
) -> str:
    """Return the model card.

    Args:
        manifest: The chosen model's manifest.
        test: Its evaluation on the test set.
        generated: Whether it was trained on a generated corpus.
        with_authors: Whether the author of each post is known.
        excluded: Criteria that were left out of the scores.

    Returns:
        The card as Markdown.
    """
    chosen, trained, made = test.models[0], manifest.trained, manifest.provenance
    source = "a generated corpus (no person wrote it)" if generated else f"corpus {made.corpus_hash}"
    where = population_name(test.population)
    criteria = markdown_table(
        ["criterion", f"F1, {where}"],
        [[name, format_score(chosen.per_criterion.get(name))] for name in chosen.scores["per_criterion"]],
    )
    asked = "\n".join(
        f"* **{name}**{' (left out of all scores)' if name in excluded else ''}: {text}"
        for name, text in manifest.criteria.items()
    )
    notes = [format_without_positive(chosen.scores["without_positive"]), format_excluded(excluded)]
    left_out = "".join(f"\n{note}\n" for note in notes if note)
    met = "\n".join(f"* {name}: {'met' if is_met else 'not met'}" for name, is_met in test.targets.items())
    rules = load_rules(manifest.rules)
    temperatures = ", ".join(f"{rule.mean_temperature:.3f} ({name})" for name, rule in rules.items())
    large = "\n".join(
        f"* {name}: {found.sentence(where)}" for name, found in manifest.calibration_in_the_large.items()
    )
    policy = manifest.params["null_policy.name"]
    thresholds = policy in ("threshold", "ratio")
    fitted = "Temperatures, offsets and thresholds" if thresholds else "Temperatures and offsets"
    seeds = [] if test.delivers_ensemble else test.seeds
    trainings = format_trainings([each["f1_macro"] for each in seeds], f"F1-macro ({where})")
    if test.delivers_ensemble:
        what, how = f"An ensemble ({format_picks(test.chosen['ensemble'])})", "each for its own number of epochs"
    else:
        what, how = f"A `{test.chosen['backbone']}`", format_count(trained["epochs"], "epoch")
        how += f", {len(manifest.members)} times with different seeds" if manifest.members else ""
    trainings = f"{trainings}\n" if trainings else ""
    count = test.sizes[test.population]
    pairs = f"{count} annotated pairs" if test.population == "annotated" else f"{count} pairs at {where}"
    sizes = f"{test.sizes['posts']} test posts ({pairs}, {test.sizes['positives']} of them positive)"
    return f"""\
# {manifest.agent} model

{what} for the agent `{manifest.agent}`, chosen by cross-validation and trained on all of the
development set: {trained["posts"]} posts, {trained["examples"]} pairs ({trained["annotated"]} of them annotated),
{how}, {source}.

## How good it is

On {sizes} that no search saw, with 95 % intervals over groups of posts.
{format_groups(with_authors=with_authors)}
The test set has been opened {format_times(len(test.openings))}.
{trainings}
{_models(test)}

{_levels(chosen)}
{_span_table(test)}
Targets ({where}):

{met}

{criteria}
{left_out}
## How it decides

The null policy is `{policy}`, and the mean temperature is {temperatures}. {fitted} of each criterion stand in
`model.json`; they were fitted {in_population(test.population)}.

Calibration in the large, on development posts from which the model learned:

{large}

Criteria it reads:

{asked}

{_INTENDED_USE.format(calibrated=_calibration_claim(manifest))}
## Provenance

Code {made.code_version}, configuration {made.config_hash}, seed {made.seed}, {made.device}, {made.finished}.
No split separates the posts of a group.
"""


def _calibration_claim(manifest: ModelManifest) -> str:
    """Say what was calibrated, on which pairs, and by whose predictions."""
    claims = [_FITTED[name] for name in manifest.rules]
    if manifest.post_rule is not None:
        claims.append("whether a post meets a criterion")
    return (
        f"Calibration was fitted {in_population(manifest.population)} for {', and for '.join(claims)}."
        " Temperature and offsets were fitted on predictions of the models of cross-validation for posts that these"
        " had not learned from. This model learned from more posts, so its own probabilities may be too high or too"
        " low; compare mean probability and prevalence in the table above."
        f"{_UNKNOWN if manifest.population == 'annotated' else ''}"
    )


def _models(test: TestEvaluation) -> str:
    """Return a table of all models; F1-macro on annotated pairs is added if the main scores are of the others."""
    where = population_name(test.population)
    columns = ["model", f"F1-macro, {where}", f"ECE, {where}"]
    rows = [[model.name, format_interval(model.f1_macro), format_interval(model.ece)] for model in test.models]
    if test.population != "annotated":
        columns.append(f"F1-macro, {population_name('annotated')}")
        for row, model in zip(rows, test.models, strict=True):
            row.append(format_interval(model.intervals["annotated"]["f1_macro"]))
    return markdown_table(columns, rows)


def _levels(chosen: ModelScores) -> str:
    """Return a table of the model's scores in each population, and notes about it."""
    by_post = chosen.scores.get("post_criterion", {})
    prevalence = {
        chosen.scores["population"]: chosen.scores["prevalence"],
        "annotated": chosen.scores["annotated"]["prevalence"],
        "post_criterion": by_post.get("prevalence"),
    }
    rows = [
        [
            population_name(level),
            *(format_score(intervals.get(name)) for name in _SCORES),
            "–" if prevalence.get(level) is None else f"{prevalence[level]:.3f}",
        ]
        for level, intervals in chosen.intervals.items()
    ]
    table = markdown_table(
        ["chosen model", *(SCORE_NAMES[name] for name in _SCORES), SCORE_NAMES["prevalence"]], rows
    )
    if not by_post:
        return f"{table}\n\n{WITHHELD}"
    posts = by_post["post"]
    return (
        f"{table}\n\nFor {posts['every_criterion_predicted']:.0%} of the posts the model predicts every criterion."
        f"{format_unknown_sets(posts)}"
    )


def _span_table(test: TestEvaluation) -> str:
    """Return total, HasAns and NoAns of each model; '' if the agent predicts no spans."""
    rows = squad_rows({model.name: model.intervals for model in test.models})
    if not rows:
        return ""
    return f"""
Spans by token F1, over all pairs, over those with evidence (HasAns) and over those without (NoAns). A model that
always abstains has HasAns 0 and NoAns 1.

{markdown_table(SPAN_COLUMNS, rows)}
"""
