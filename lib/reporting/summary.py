"""The comparison of all agents in summary.html, summary.md and summary.json."""

from collections.abc import Sequence
from typing import Any

from lib.metrics.formatting import format_interval, format_p
from lib.metrics.objective import WITHHELD, population_name
from lib.metrics.squad_scores import SPAN_COLUMNS, SquadScores, squad_scores
from lib.reporting.page import Section, Table, render_page
from lib.schemas.evaluation import StageCResult, TestEvaluation

_SPANS = (
    "Token F1 of the test set over all pairs, over those with evidence (HasAns) and over those without (NoAns)."
    " A model that always abstains has HasAns 0 and NoAns 1."
)


def summary_entry(result: StageCResult, test: TestEvaluation) -> dict[str, Any]:
    """Return the main results of an agent.

    Args:
        result: Its result of Stage C.
        test: Its evaluation on the test set.

    Returns:
        Its entry in summary.json.
    """
    chosen, (strongest, comparison) = test.models[0], test.strongest()
    return {
        "agent": test.agent,
        "backbone": "ensemble" if test.delivers_ensemble else test.chosen["backbone"],
        "population": test.population,
        "objective": result.objective,
        "cross_validated": result.objective_of(test),
        "by_post": chosen.intervals.get("post"),
        "f1_macro": chosen.f1_macro,
        "ece": chosen.ece,
        "spans": [vars(each) for each in squad_scores(chosen.intervals)],
        "strongest_baseline": {"name": strongest.name, "f1_macro": strongest.f1_macro, "ece": strongest.ece},
        "against_baseline": comparison.f1_macro,
        "gain_percent": comparison.gain_percent,
        "targets": test.targets,
        "openings": len(test.openings),
    }


def summary_table(agents: Sequence[dict[str, Any]]) -> Table:
    """Return the table of all agents from their entries."""
    rows = []
    for each in agents:
        cv, base = each["cross_validated"], each["strongest_baseline"]
        rows.append(
            [
                each["agent"],
                each["backbone"],
                f"{cv['mean']:.3f} ± {cv['standard_error']:.3f}",
                format_interval(each["f1_macro"]),
                format_interval(each["ece"]),
                f"{base['name']} {base['f1_macro']['value']:.3f}",
                f"{each['against_baseline']['value']:+.3f}",
                format_p(each["against_baseline"]["p"]),
                " / ".join("met" if met else "not met" for met in each["targets"].values()),
            ]
        )
    where = population_name(agents[0]["population"])
    columns = ["agent", "backbone", f"CV {agents[0]['objective']}", f"test F1-macro ({where})", f"test ECE ({where})"]
    columns += [f"strongest baseline, test F1-macro ({where})", f"difference in test F1-macro ({where})"]
    columns += ["p", f"targets ({where})"]
    return Table(columns, rows)


def _targets(agents: Sequence[dict[str, Any]]) -> str:
    return f"Targets ({population_name(agents[0]['population'])}): {'; '.join(agents[0]['targets'])}."


def _withheld(agents: Sequence[dict[str, Any]]) -> list[str]:
    return [WITHHELD] if agents[0]["population"] == "annotated" else []


def span_table(agents: Sequence[dict[str, Any]]) -> Table:
    """Return total, HasAns and NoAns of the agents that predict spans, in each population."""
    rows = [
        [each["agent"], totals["population"], *SquadScores(**totals).cells()]
        for each in agents
        for totals in each["spans"]
    ]
    return Table(SPAN_COLUMNS, rows)


def render_html(agents: Sequence[dict[str, Any]]) -> str:
    """Return the HTML page of at least one agent."""
    spans = span_table(agents)
    note = (
        "Test F1-macro and ECE have 95 % bootstrap intervals over groups of posts, and p comes from"
        f" approximate randomisation. {_targets(agents)}"
    )
    return render_page(
        "Summary",
        [note, *_withheld(agents)],
        [
            Section(
                "All agents",
                "The report of each agent is results/{agent}/report.html.",
                tables=[summary_table(agents)],
            ),
            *([Section("Spans", _SPANS, tables=[spans])] if spans.rows else []),
        ],
    )


def render_markdown(agents: Sequence[dict[str, Any]]) -> str:
    """Return the Markdown page of at least one agent."""
    spans = span_table(agents)
    found = f"\n{spans.markdown()}\n\n{_SPANS}\n" if spans.rows else ""
    notes = "\n\n".join([_targets(agents), *_withheld(agents)])
    return f"# Summary\n\n{summary_table(agents).markdown()}\n\n{notes}\n{found}"
