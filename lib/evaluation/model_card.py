"""Write the model card, which describes a model's purpose, origin, scores and limits."""

from lib.schemas.evaluation import ModelManifest, TestEvaluation, format_interval

_LIMITS = """\
## Intended use and limits

The model is for research on texts like those it was trained on. It gives **no diagnosis** and no advice, and it must
not decide about a person. It knows the criteria listed above and no others. Its probabilities are calibrated on the
development posts. On texts of another kind (another forum, language, time or length), neither the probabilities nor
the F1 scores apply. People did not write their posts for research, so treat texts and predictions as personal data.
"""


def model_card(manifest: ModelManifest, test: TestEvaluation, *, generated: bool) -> str:
    """Return the model card.

    Args:
        manifest: The chosen model's manifest.
        test: Its evaluation on the test set.
        generated: Whether it was trained on a generated corpus.

    Returns:
        The card as Markdown.
    """
    chosen, trained, made = test.models[0], manifest.trained, manifest.provenance
    source = "a generated corpus (no person wrote it)" if generated else f"corpus {made.corpus_hash}"
    rows = "\n".join(
        f"| {model.name} | {format_interval(model.f1_macro)} | {format_interval(model.ece)} |"
        for model in test.models
    )
    criteria = "\n".join(
        f"| {name} | {scores['f1_macro']:.3f} |" for name, scores in chosen.scores["per_criterion"].items()
    )
    asked = "\n".join(f"* **{name}**: {text}" for name, text in manifest.criteria.items())
    met = "\n".join(f"* {name}: {'met' if is_met else 'not met'}" for name, is_met in test.targets.items())
    decides = manifest.params
    temperatures = ", ".join(f"{name} {value:.3f}" for name, value in manifest.temperatures.items())
    policy = ", ".join(f"{name} {decides[f'null_policy.{name}']:.3f}" for name in ("threshold", "ratio"))
    sizes = (
        f"{test.sizes['posts']} test posts ({test.sizes['examples']} examples, {test.sizes['positives']} positive)"
    )
    return f"""\
# {manifest.agent} model

A `{test.chosen["backbone"]}` for the agent `{manifest.agent}`, chosen by cross-validation and trained on all of the
development set: {trained["posts"]} posts, {trained["examples"]} examples, {trained["epochs"]} epochs, {source}.

## How good it is

On {sizes} that no search saw, with 95 % intervals by post.
The test set has been opened {len(test.openings)} time(s).

| model | F1-macro | ECE |
|---|---|---|
{rows}

{met}

| criterion | F1-macro |
|---|---|
{criteria}

## How it decides

Null policy `{decides["null_policy.name"]}` ({policy}), temperature: {temperatures}. Criteria it reads:

{asked}

{_LIMITS}
## Where it comes from

Code {made.code_version}, configuration {made.config_hash}, seed {made.seed}, {made.device}, {made.finished}.
Posts were split by post, never by row.
"""
