"""The command `summary`, which compares the agents."""

from argparse import Namespace

from lib.cli.command import Command
from lib.files.atomic import write_text
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def write_summary(options: Namespace) -> None:
    """Write and print a comparison of all agents."""
    from lib.reporting.summary import render_html, render_markdown, summary_entry
    from lib.schemas.corpus import CorpusManifest
    from lib.schemas.evaluation import StageCResult, Summary, TestEvaluation

    started, settings = now(), read_settings(options.settings)
    agents = [
        summary_entry(
            StageCResult.read(options.results / agent / StageCResult.FILE),
            TestEvaluation.read(options.results / agent / TestEvaluation.FILE),
        )
        for agent in settings.config.agents
    ]
    corpus_hash = CorpusManifest.read(options.results / "corpus" / CorpusManifest.FILE).corpus_hash
    write_text(options.results / "summary.html", render_html(agents))
    write_text(options.results / "summary.md", render_markdown(agents))
    Summary(provenance=make_provenance(settings, started=started, corpus_hash=corpus_hash), agents=agents).write(
        options.results / Summary.FILE
    )
    print(render_markdown(agents))


COMMAND = Command(
    "summary",
    "Compare all agents in results/summary.html, .md and .json.",
    write_summary,
)
