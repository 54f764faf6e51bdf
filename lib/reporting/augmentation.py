"""What augmentation did: a table of methods, and examples of a generated corpus."""

from collections.abc import Mapping, Sequence

from lib.augmentation.bank import BankManifest
from lib.search.documents import MethodEffect

_EXPLANATION = """\
*rho*: Spearman's correlation, over the completed trials of Stage A, of how often a trial applies the method with its
F1-macro, and a 95 % bootstrap interval. The sampler chose the trials, so this is a hint and no experiment. *changed*:
share of (text, strength, variant) in which the method found something to change. *refused*: edits that touched a
reserved term. *applied*: examples changed in all trainings kept in results/{agent}/runs.
"""


def describe(
    agent: str,
    effects: Sequence[MethodEffect],
    manifests: Mapping[str, BankManifest],
    applied: Mapping[str, int],
) -> str:
    """Return the page as Markdown."""
    lines = [f"# Augmentation: {agent}", "", _EXPLANATION.format(agent=agent)]
    lines += ["| method | rho | 95 % | trials with it | applied | changed | refused | errors | ms a text | MiB |"]
    lines += ["|---|---|---|---|---|---|---|---|---|---|"]
    for effect in effects:
        if (manifest := manifests.get(effect.method)) is not None:
            lines.append(_row(effect, manifest, applied.get(effect.method, 0)))
    size = sum(manifest.performance["bytes"] for manifest in manifests.values()) / 2**20
    lines += ["", f"The bank of this agent takes {size:.1f} MiB on disk."]
    lines += sorted({f"{m.method}: {m.note}." for m in manifests.values() if m.note})
    if any(manifest.examples for manifest in manifests.values()):
        lines += ["", "## Examples", "", "Of the generated corpus; no person wrote them.", ""]
        lines += ["| method | text | augmented |", "|---|---|---|"]
        lines += [f"| {m.method} | {_cell(a)} | {_cell(b)} |" for m in manifests.values() for a, b in m.examples]
    return "\n".join(lines) + "\n"


def _row(effect: MethodEffect, manifest: BankManifest, applied: int) -> str:
    rho = "–" if effect.rho is None else f"{effect.rho:+.2f}"
    interval = "–" if effect.low is None else f"{effect.low:+.2f} to {effect.high:+.2f}"
    errors = ", ".join(f"{kind}: {n}" for kind, n in manifest.errors.items()) or "0"
    changed = manifest.changed / max(1, manifest.changed + manifest.unchanged)
    cost = manifest.performance
    return (
        f"| {effect.method} | {rho} | {interval} | {effect.exposed} of {effect.trials} | {applied} | {changed:.0%} |"
        f" {manifest.refused} | {errors} | {cost['milliseconds_per_variant']:.1f} | {cost['bytes'] / 2**20:.2f} |"
    )


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
