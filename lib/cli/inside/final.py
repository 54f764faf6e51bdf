"""The command `final`, which refits the chosen candidate and scores it once on the test set."""

from argparse import Namespace

from lib.cli.command import Command, echo
from lib.cli.experiments import training_experiment
from lib.cli.paths import agent_path, read_folds


def refit_and_test(options: Namespace) -> None:
    """Refit the candidate that Stage C chose, score it once on the test set, and publish it."""
    from lib.schemas.corpus import CorpusManifest
    from lib.schemas.evaluation import Baselines, StageCResult

    result = StageCResult.read(agent_path(options, StageCResult.FILE))
    baselines = Baselines.read(agent_path(options, Baselines.FILE))
    with training_experiment(options) as experiment:
        from lib.evaluation.model_card import model_card
        from lib.evaluation.refit import publish_model
        from lib.evaluation.test_set import evaluate_on_test_set, format_result
        from lib.metrics.squad_scores import squad_scores

        folds = read_folds(options, experiment.settings)
        head = f"final {experiment.agent.name}"
        model, test = evaluate_on_test_set(experiment, result, folds, baselines, lambda step: echo(f"{head}  {step}"))
        corpus = CorpusManifest.read(options.results / "corpus" / CorpusManifest.FILE)
        card = model_card(
            model.manifest,
            test,
            generated=corpus.generated,
            with_authors=experiment.settings.config.corpus.knows_authors,
            excluded=corpus.excluded_criteria,
        )
        publish_model(model, agent_path(options, "model"), card)
        test.write(agent_path(options, test.FILE))
    echo(format_result(test, experiment.agent))
    for totals in squad_scores(test.models[0].intervals):
        echo(f"{head}  {totals.sentence()}")


COMMAND = Command(
    "final", "Refit the chosen candidate and score it once on the test set.", refit_and_test, agent=True
)
