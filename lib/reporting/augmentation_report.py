"""The report on augmentation, with a table of methods and, for a generated corpus, examples."""

from collections.abc import Mapping, Sequence

from lib.metrics.objective import Objective
from lib.schemas.augmentation import BankEntry, BankManifest
from lib.schemas.search import MethodEffect

_EXPLANATION = """\
*rho* is Spearman's correlation between how often a trial of Stage A applies the method and the objective of its
first seed, {objective}, with a 95 % bootstrap interval, over the trials that completed this seed. The sampler chose
the trials, so this is correlation, not a controlled experiment. *applied* is the number of examples that the method
changed in all trainings kept in results/{agent}/runs. *changed* is the share of variants in the bank in which the
method changed something. *refused* is the number of edits that were dropped because they touched a reserved term or
changed a negation.
"""


def describe_augmentation(
    bank: BankManifest, effects: Sequence[MethodEffect], applied: Mapping[str, int], objective: Objective
) -> str:
    """Return the report on augmentation.

    Args:
        bank: What the methods did to the texts.
        effects: The correlation of each method's use with the objective in Stage A.
        applied: How often each method changed an example, over all stored trainings.
        objective: What the search maximised.

    Returns:
        The report as Markdown.
    """
    lines = [f"# Augmentation: {bank.agent}", "", _EXPLANATION.format(agent=bank.agent, objective=objective.name)]
    lines += ["| method | rho | 95 % | trials with it | applied | changed | refused | errors | ms a text | MiB |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for effect in effects:
        if (entry := bank.methods.get(effect.method)) is not None:
            lines.append(_row(effect, entry, applied.get(effect.method, 0)))
    size, seconds = bank.performance["bytes"] / 2**20, bank.performance["seconds"]
    lines += [
        "",
        f"The bank holds {bank.texts} texts and takes {size:.1f} MiB on disk. It was made in {seconds:.0f} s.",
    ]
    lines += [f"{name}: {entry.note}." for name, entry in bank.methods.items() if entry.note]
    examples = [(name, *pair) for name, entry in bank.methods.items() for pair in entry.examples]
    if examples:
        lines += ["", "## Examples", "", "The texts are from a generated corpus; no person wrote them.", ""]
        lines += ["| method | text | augmented |", "|---|---|---|"]
        lines += [f"| {name} | {_cell(text)} | {_cell(new)} |" for name, text, new in examples]
    return "\n".join(lines) + "\n"


def _row(effect: MethodEffect, entry: BankEntry, applied: int) -> str:
    rho = "–" if effect.rho is None else f"{effect.rho:+.2f}"
    interval = "–" if effect.low is None else f"{effect.low:+.2f} to {effect.high:+.2f}"
    errors = ", ".join(f"{kind}: {n}" for kind, n in entry.errors.items()) or "0"
    changed = entry.changed / max(1, entry.changed + entry.unchanged)
    cost = entry.performance
    return (
        f"| {effect.method} | {rho} | {interval} | {effect.exposed} of {effect.trials} | {applied} | {changed:.0%} |"
        f" {entry.refused} | {errors} | {cost['milliseconds_per_variant']:.1f} | {cost['bytes'] / 2**20:.2f} |"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
