"""The command `nested`, which compares the searches of the outer folds of nested cross-validation."""

from argparse import Namespace
from pathlib import Path

from lib.cli.command import Command, echo
from lib.cli.experiments import agent_search
from lib.cli.paths import agent_path
from lib.errors import UserError


def compare_outer_folds(options: Namespace) -> None:
    """Write the scores of the searches of the outer folds, and a picture of them.

    Raises:
        UserError: The configuration has no outer folds, or a search is not finished.
    """
    from lib.reporting import svg
    from lib.reporting.nested import compare_searches, plot_nested
    from lib.schemas.document import now
    from lib.schemas.evaluation import StageCResult, TestEvaluation

    started, search = now(), agent_search(options)
    k = search.settings.config.outer_folds
    if k is None:
        raise UserError("outer_folds: is null; set it to the number of outer folds, and run their searches")

    def finished(folder: Path) -> tuple[StageCResult, TestEvaluation]:
        return StageCResult.read(folder / StageCResult.FILE), TestEvaluation.read(folder / TestEvaluation.FILE)

    outer = [finished(options.results / f"outer-{fold}" / options.agent) for fold in range(1, k + 1)]
    main = finished(options.results / options.agent)
    nested = compare_searches(search.provenance(started), search.objective, main, outer)
    svg.save_svg(plot_nested(nested), agent_path(options, "nested.svg"))
    nested.write(agent_path(options, nested.FILE))
    score = f"{nested.score['mean']:.3f} ± {nested.score['standard_error']:.3f}"
    echo(f"nested {options.agent}: {nested.objective} of {k} searches, each on its outer fold: {score}")


COMMAND = Command(
    "nested",
    "Compare the searches of the outer folds of nested cross-validation.",
    compare_outer_folds,
    agent=True,
)
