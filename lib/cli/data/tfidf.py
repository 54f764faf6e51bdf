"""The command `tfidf`, which fits the TF-IDF cache."""

from argparse import Namespace
from pathlib import Path

from lib.cli.command import Command, echo
from lib.cli.experiments import load_development_set
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def fit_tfidf(options: Namespace) -> None:
    """Fit the TF-IDF cache on the development texts of an agent."""
    from lib.agents import get_agent
    from lib.corpus.tfidf import build_tfidf
    from lib.schemas.corpus import TfidfManifest

    started, settings = now(), read_settings(options.settings)
    development = load_development_set(options)
    folder: Path = options.results / options.agent / "tfidf"
    examples = get_agent(options.agent).examples(development)
    texts = list(dict.fromkeys(examples.text))
    facts = build_tfidf(texts, settings.config.tfidf, cache=options.results / "cache" / "tfidf", folder=folder)
    TfidfManifest(
        provenance=make_provenance(settings, started=started, corpus_hash=development.corpus_hash),
        agent=options.agent,
        **facts,
    ).write(folder / TfidfManifest.FILE)
    seconds = "reused" if facts["performance"]["reused"] else f"{facts['performance']['build_seconds']} s"
    echo(f"tfidf {options.agent}: {facts['features']} features of {facts['texts']} texts ({seconds})")


COMMAND = Command(
    "tfidf",
    "Fit the TF-IDF cache on development text.",
    fit_tfidf,
    agent=True,
)
