"""The command `stage-c`, which ranks the candidates and chooses one."""

from argparse import Namespace

from lib.cli.command import Command, echo
from lib.cli.experiments import load_experiment
from lib.cli.paths import agent_path, read_folds


def write_stage_c(options: Namespace) -> None:
    """Write the ranking and the choice of Stage C and a picture of the folds."""
    from lib.evaluation.cross_validation import collect_stage_c
    from lib.metrics.formatting import format_bias_corrected
    from lib.reporting import figures, svg
    from lib.schemas.evaluation import CrossValidatedBaseline
    from lib.schemas.search import Candidates

    experiment = load_experiment(options)
    chosen = Candidates.read(agent_path(options, f"stage_c/{Candidates.FILE}"))
    baseline = CrossValidatedBaseline.read(agent_path(options, f"stage_c/{CrossValidatedBaseline.FILE}"))
    result = collect_stage_c(experiment, chosen, read_folds(options, experiment.settings), baseline)
    svg.save_svg(figures.plot_folds(result), agent_path(options, "stage_c.svg"))
    result.write(agent_path(options, result.FILE))
    score, error, base = (
        result.choice["objective"],
        result.choice["calibration_error"],
        result.baseline["objective"],
    )
    shown = experiment.objective.describe(
        f"{score['mean']:.3f} ± {score['standard_error']:.3f}", f"{error['mean']:.3f}"
    )
    echo(
        f"stage_c {options.agent}: chose candidate {result.choice['candidate']}"
        f" ({result.choice['params']['model.backbone']}); {shown};"
        f" {result.baseline['name']} {base['mean']:.3f} ± {base['standard_error']:.3f}"
    )
    if len(result.ranking) > 1 and result.bias_corrected is not None:
        echo(f"stage_c {options.agent}: {format_bias_corrected(result.bias_corrected, result.objective)}")


COMMAND = Command("stage-c", "Rank the candidates of Stage C and choose one.", write_stage_c, agent=True)
