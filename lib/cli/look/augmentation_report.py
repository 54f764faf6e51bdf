"""The command `augmentation-report`, which describes the effects of augmentation in Stage A."""

from argparse import Namespace
from collections import Counter

from lib.cli.command import Command
from lib.cli.experiments import agent_search
from lib.cli.paths import agent_path
from lib.files.atomic import write_text


def write_augmentation_report(options: Namespace) -> None:
    """Write a report and a picture of what augmentation did in Stage A."""
    from lib.reporting import figures, svg
    from lib.reporting.augmentation_report import describe_augmentation
    from lib.schemas.augmentation import BankManifest
    from lib.schemas.run import Run
    from lib.schemas.search import StageAResult

    objective = agent_search(options).objective
    effects = StageAResult.read(agent_path(options, StageAResult.FILE)).augmentation or []
    bank = BankManifest.read(agent_path(options, f"augmentation/{BankManifest.FILE}"))
    applied: Counter[str] = Counter()
    for path in sorted(agent_path(options, "runs").glob("*.json")):
        applied.update(Run.read(path).augmented)
    page = describe_augmentation(bank, effects, applied, objective)
    write_text(agent_path(options, "augmentation.md"), page)
    svg.save_svg(figures.plot_method_effects(effects, objective), agent_path(options, "augmentation.svg"))


COMMAND = Command(
    "augmentation-report",
    "Describe the effects of augmentation in Stage A.",
    write_augmentation_report,
    agent=True,
)
