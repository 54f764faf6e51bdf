"""The command `augmentation-bank`, which augments an agent's texts with all methods of the space."""

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
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
    from lib.augmentation.bank import counts_path, variants_path
    from lib.augmentation.build_bank import MethodConfig, bank_entry, bank_key, write_missing_variants
    from lib.corpus.tfidf import fit_cached
    from lib.experiment.splits import Splits
    from lib.schemas.augmentation import BankManifest, Lexicon, SplitTfidf
    from lib.schemas.corpus import CorpusManifest

    began, started, settings = time.perf_counter(), now(), read_settings(options.settings)
    development, agent = load_development_set(options), get_agent(options.agent)
    examples = agent.examples(development)
    texts = AugmentableTexts(examples, whole=not agent.reads_posts).unique
    of_lexicon = Lexicon.read(options.results / "lexicon" / Lexicon.FILE).fingerprint

    def config_of(method: str, tfidf: Path | None) -> tuple[str, MethodConfig]:
        config = MethodConfig(
            method=method,
            strengths=settings.space.strengths,
            variants=settings.config.augmentation.variants,
            terms=reserved_terms(settings, development.criteria),
            resources=method_resources(options, settings, tfidf),
        )
        return bank_key(config, texts, tfidf=tfidf.name if tfidf is not None else "", lexicon=of_lexicon), config

    methods = searched_methods(settings)
    configs = dict(config_of(method, None) for method in methods if method != "tfidf")
    splits: dict[str, SplitTfidf] = {}
    # What is fitted on text may only see the training part, so each split has its own TF-IDF.
    for name, train in Splits(settings.config, development, agent, examples).training_parts().items():
        seen = list(dict.fromkeys(examples.text[i] for i in train))
        tfidf, _ = fit_cached(seen, settings.config.tfidf, options.results / "cache" / "tfidf")
        key, config = config_of("tfidf", tfidf)
        splits[name] = SplitTfidf(tfidf=tfidf.name, variants=key)
        if "tfidf" in methods:
            configs[key] = config
    cache = options.results / "cache" / "augmentation"
    ready: list[str] = []

    def done(name: str) -> None:
        ready.append(name)
        counts = _method_counts(configs[name].method, read_json(counts_path(cache, name)))
        echo(f"augmentation {options.agent} {len(ready)}/{len(configs)}  {counts}")

    write_missing_variants(texts, configs, cache, options.processes, done)
    # Only a generated corpus' texts may be shown.
    show = CorpusManifest.read(options.results / "corpus" / CorpusManifest.FILE).generated
    # The last fit of TF-IDF is that of all development posts.
    entries = {config.method: bank_entry(config, name, texts, cache, show=show) for name, config in configs.items()}
    size = sum(variants_path(cache, name).stat().st_size for name in configs)
    seconds = round(time.perf_counter() - began, 2)
    BankManifest(
        provenance=make_provenance(settings, started=started, corpus_hash=development.corpus_hash),
        agent=options.agent,
        texts=len(texts),
        levels=list(settings.space.strengths),
        variants=settings.config.augmentation.variants,
        methods=entries,
        splits=splits,
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
