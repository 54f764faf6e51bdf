"""What comes before a search: settings, corpus, TF-IDF cache, backbones."""

from argparse import Namespace
from pathlib import Path

from lib.cli.common import development_of, provenance_of, say
from lib.errors import UserError, unknown_name
from lib.files.atomic import write_json, write_text
from lib.files.documents import now
from lib.settings.load import json_schema, read_settings, resolved, save_settings


def settings(options: Namespace) -> None:
    """Check and resolve the configuration."""
    save_settings(resolved(options.config, options.json), options.output)


def schema(options: Namespace) -> None:
    """Write the JSON schema for editors."""
    write_json(options.output, json_schema())


def generate_corpus(options: Namespace) -> None:
    """Write a generated corpus."""
    from lib.corpus.generate import generate

    generator = read_settings(options.settings).config.generator
    generate(options.output, posts=generator.posts, seed=generator.seed, words=generator.words)
    say(f"generated {generator.posts} posts in {options.output}; no person wrote them")


def corpus(options: Namespace) -> None:
    """Check a corpus and write its tables, splits, manifest, report and picture."""
    from lib.corpus import report
    from lib.corpus.manifest import CorpusManifest
    from lib.corpus.reading import read_corpus, sample
    from lib.corpus.store import part_of_posts, save_tables
    from lib.files.hashing import derive_seed
    from lib.reporting import figures, ink

    started, config = now(), read_settings(options.settings)
    settings, seed = config.config.corpus, derive_seed(config.config.seed, "share of the corpus")
    read = sample(read_corpus(settings, options.input), settings.share, seed)
    parts = part_of_posts(read, config.config.corpus.test_fraction, config.config.seed)
    folder: Path = options.results / "corpus"
    generated = config.config.corpus.dir is None
    save_tables(read, parts, folder)
    source = "generated" if generated else str(options.input)
    write_text(folder / "report.md", report.describe(read, parts, source=source, generated=generated))
    ink.save(figures.corpus(report.counts(read, parts)), folder / "report.svg")
    joined = read.annotations.merge(parts, on="post_id")
    CorpusManifest(
        provenance=provenance_of(config, read.hash(), started),
        generated=generated,
        corpus_hash=read.hash(),
        posts={name: int(n) for name, n in parts["part"].value_counts().items()},
        annotations={name: int(n) for name, n in joined["part"].value_counts().items()},
        positives={name: int(n) for name, n in joined.groupby("part")["status"].sum().items()},
        criteria=read.criteria,
        oddities=read.oddities,
    ).write(folder / "corpus.json")
    odd = sum(map(len, read.oddities.values()))
    say(f"corpus: {len(parts)} posts, {len(joined)} annotations, {odd} oddities; see {folder / 'report.md'}")


def tfidf(options: Namespace) -> None:
    """Fit the TF-IDF cache."""
    from lib.agents import get_agent
    from lib.corpus.tfidf import TfidfManifest, build

    started, config = now(), read_settings(options.settings)
    development = development_of(options)
    folder: Path = options.results / options.agent / "tfidf"
    examples = get_agent(options.agent).examples(
        development, unannotated=config.config.corpus.unannotated, seed=config.config.seed
    )
    texts = list(dict.fromkeys(examples.second))
    facts = build(texts, config.config.tfidf, cache=options.results / "cache" / "tfidf", folder=folder)
    TfidfManifest(
        provenance=provenance_of(config, development.corpus_hash, started), agent=options.agent, **facts
    ).write(folder / "manifest.json")
    seconds = "reused" if facts["performance"]["reused"] else f"{facts['performance']['build_seconds']} s"
    say(f"tfidf {options.agent}: {facts['features']} features of {facts['texts']} texts ({seconds})")


def backbone(options: Namespace) -> None:
    """Bring a backbone into the results folder."""
    from lib.files.hashing import derive_seed
    from lib.modeling.backbones import MANIFEST, BackboneManifest, fetch
    from lib.settings.config import HubBackbone, RandomBackbone, TinyBackbone

    started, config = now(), read_settings(options.settings)
    if options.name not in config.backbones:
        raise UserError(unknown_name("backbone", options.name, list(config.backbones)))
    source, texts, corpus_hash = config.backbones[options.name], list[str](), ""
    if options.random_init:
        architecture = getattr(source, "architecture", None)
        if architecture is None:
            raise UserError(
                f"backbone '{options.name}': --random-init needs its 'architecture' in the backbones file"
            )
        source = RandomBackbone(source="random", architecture=architecture)
    if isinstance(source, TinyBackbone | RandomBackbone):
        development = development_of(options)
        corpus_hash = development.corpus_hash
        texts = [*development.posts["text"], *development.criteria.values()]
    folder: Path = options.results / "backbones" / options.name
    seed = derive_seed(config.config.seed, options.name)
    facts = fetch(options.name, source, folder, texts=texts, seed=seed)
    BackboneManifest(provenance=provenance_of(config, corpus_hash, started), **facts).write(folder / MANIFEST)
    say(f"backbone {options.name}: {facts['parameters']:,} parameters from {facts['resolved']}")
    if isinstance(source, HubBackbone) and not facts["resolved"].endswith(f"@{source.revision}"):
        commit = facts["resolved"].rpartition("@")[2]
        say(
            f"backbone {options.name}: '{source.revision}' may move; to have these weights again, pin it:"
            f" revision: {commit}"
        )
