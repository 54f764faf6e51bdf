"""The command `augmentation-bank`, which augments an agent's texts with all methods of the space."""

import time
from argparse import ArgumentParser, Namespace
from typing import Any

from lib.cli.augmentation_inputs import method_resources, reserved_terms, searched_methods
from lib.cli.command import Command, echo
from lib.cli.experiments import load_development_set
from lib.cli.paths import agent_path
from lib.files.json_files import read_json
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--processes", type=int, default=1, help="number of processes")


def write_bank(options: Namespace) -> None:
    """Compute the variants of an agent's texts for every method that the space can suggest."""
    from lib.agents import get_agent
    from lib.augmentation.augmenter import AugmentableTexts
    from lib.augmentation.bank import counts_path
    from lib.augmentation.build_bank import MethodConfig, bank_entry, bank_key, write_missing_variants
    from lib.schemas.augmentation import BankManifest, Lexicon
    from lib.schemas.corpus import CorpusManifest, TfidfManifest

    began, started, settings = time.perf_counter(), now(), read_settings(options.settings)
    development, agent = load_development_set(options), get_agent(options.agent)
    examples = agent.examples(development)
    texts = AugmentableTexts(examples, whole=not agent.reads_posts).unique
    of_tfidf = TfidfManifest.read(agent_path(options, f"tfidf/{TfidfManifest.FILE}")).key
    of_lexicon = Lexicon.read(options.results / "lexicon" / Lexicon.FILE).fingerprint
    configs = {}
    for method in searched_methods(settings):
        config = MethodConfig(
            method=method,
            strengths=settings.space.strengths,
            variants=settings.config.augmentation.variants,
            terms=reserved_terms(settings, development.criteria),
            resources=method_resources(options, settings, agent_path(options, "tfidf")),
        )
        configs[bank_key(config, texts, tfidf=of_tfidf, lexicon=of_lexicon)] = config
    cache = options.results / "cache" / "augmentation"
    ready: list[str] = []

    def done(name: str) -> None:
        ready.append(name)
        counts = _method_counts(configs[name].method, read_json(counts_path(cache, name)))
        echo(f"augmentation {options.agent} {len(ready)}/{len(configs)}  {counts}")

    write_missing_variants(texts, configs, cache, options.processes, done)
    # Only a generated corpus' texts may be shown.
    show = CorpusManifest.read(options.results / "corpus" / CorpusManifest.FILE).generated
    entries = {config.method: bank_entry(config, name, texts, cache, show=show) for name, config in configs.items()}
    size = sum(entry.performance["bytes"] for entry in entries.values())
    seconds = round(time.perf_counter() - began, 2)
    BankManifest(
        provenance=make_provenance(settings, started=started, corpus_hash=development.corpus_hash),
        agent=options.agent,
        texts=len(texts),
        levels=list(settings.space.strengths),
        variants=settings.config.augmentation.variants,
        methods=entries,
        performance={"seconds": seconds, "bytes": size},
    ).write(agent_path(options, f"augmentation/{BankManifest.FILE}"))
    notes = "".join(f"; {name}: {entry.note}" for name, entry in entries.items() if entry.note)
    echo(
        f"augmentation {options.agent}: {len(entries)} methods on {len(texts)} texts, {size / 2**20:.1f} MiB,"
        f" {seconds:.0f} s{notes}"
    )


def _method_counts(method: str, found: dict[str, Any]) -> str:
    return (
        f"{method}: {found['changed']} of {found['changed'] + found['unchanged']} changed,"
        f" {sum(found['errors'].values())} errors, {found['performance']['milliseconds_per_variant']:.1f} ms each"
    )


COMMAND = Command(
    "augmentation-bank",
    "Augment an agent's texts with all methods of the space.",
    write_bank,
    add_arguments,
    agent=True,
)
