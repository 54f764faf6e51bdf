"""Augmentation: lexical data, the bank, what a method does to a text, what all of them did to a search."""

import os
import sys
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.cli.common import development_of, inside, provenance_of, say
from lib.errors import UserError
from lib.files.atomic import write_text
from lib.files.documents import now
from lib.files.reading import read_json
from lib.settings.load import Settings, read_settings

if TYPE_CHECKING:
    from lib.augmentation.libraries import Resources


def lexicon(options: Namespace) -> None:
    """Bring lexical data for augmentation into the results folder."""
    from lib.augmentation.lexicon import Lexicon, check_methods, prepare

    started, config = now(), read_settings(options.settings)
    folder: Path = options.results / "lexicon"
    chosen = config.config.augmentation.lexicon
    if chosen is not None and not Path(chosen).is_dir():
        raise UserError(f"augmentation.lexicon: {chosen} is no folder; name a folder of NLTK data, or null")
    # Where NLTK itself looks first.
    places = [chosen] if chosen is not None else os.environ.get("NLTK_DATA", "").split(os.pathsep)
    sources, missing, fingerprint = prepare(folder, [Path(place) for place in places if place])
    made = Lexicon(
        provenance=provenance_of(config, "", started), sources=sources, missing=missing, fingerprint=fingerprint
    )
    made.write(folder / "lexicon.json")
    say("lexicon: " + "; ".join(f"{name} from {source}" for name, source in sources.items()))
    check_methods(made, _methods(config))


def augmentation_bank(options: Namespace) -> None:
    """Compute what every method that the space may ask for does to an agent's texts."""
    from lib.agents import get_agent
    from lib.augmentation.bank import BankManifest, facts
    from lib.augmentation.examples import Texts
    from lib.augmentation.lexicon import Lexicon
    from lib.augmentation.making import Recipe, build, entry, key
    from lib.corpus.manifest import CorpusManifest
    from lib.corpus.tfidf import TfidfManifest

    began, started, config = time.perf_counter(), now(), read_settings(options.settings)
    development, agent = development_of(options), get_agent(options.agent)
    examples = agent.examples(development, unannotated=config.config.corpus.unannotated, seed=config.config.seed)
    texts = Texts(examples, whole=not agent.reads_posts).unique
    of_tfidf = TfidfManifest.read(inside(options, "tfidf/manifest.json")).key
    of_lexicon = Lexicon.read(options.results / "lexicon" / "lexicon.json").fingerprint
    recipes = {}
    for method in _methods(config):
        recipe = Recipe(
            method=method,
            levels=config.space.strengths,
            variants=config.config.augmentation.variants,
            terms=_reserved(config, development.criteria),
            resources=_resources(options, config, inside(options, "tfidf")),
        )
        recipes[key(recipe, texts, tfidf=of_tfidf, lexicon=of_lexicon)] = recipe
    cache = options.results / "cache" / "augmentation"
    ready: list[str] = []

    def done(name: str) -> None:
        ready.append(name)
        counts = _counts(recipes[name].method, read_json(facts(cache, name)))
        say(f"augmentation {options.agent} {len(ready)}/{len(recipes)}  {counts}")

    build(texts, recipes, cache, options.processes, done)
    # Only a generated corpus' texts may be shown.
    show = CorpusManifest.read(options.results / "corpus" / "corpus.json").generated
    entries = {recipe.method: entry(recipe, name, texts, cache, show=show) for name, recipe in recipes.items()}
    size = sum(entry.performance["bytes"] for entry in entries.values())
    seconds = round(time.perf_counter() - began, 2)
    BankManifest(
        provenance=provenance_of(config, development.corpus_hash, started),
        agent=options.agent,
        texts=len(texts),
        levels=list(config.space.strengths),
        variants=config.config.augmentation.variants,
        methods=entries,
        performance={"seconds": seconds, "bytes": size},
    ).write(inside(options, "augmentation/bank.json"))
    notes = "".join(f"; {name}: {entry.note}" for name, entry in entries.items() if entry.note)
    say(
        f"augmentation {options.agent}: {len(entries)} methods on {len(texts)} texts, {size / 2**20:.1f} MiB,"
        f" {seconds:.0f} s{notes}"
    )


def _counts(method: str, found: dict[str, Any]) -> str:
    return (
        f"{method}: {found['changed']} of {found['changed'] + found['unchanged']} changed,"
        f" {sum(found['errors'].values())} errors, {found['performance']['milliseconds_per_variant']:.1f} ms each"
    )


def augment(options: Namespace) -> None:
    """Show what a method does to a text."""
    from lib.augmentation.edits import apply
    from lib.augmentation.making import Recipe, variants
    from lib.augmentation.methods import METHODS, check_method
    from lib.corpus.store import load_development

    if options.method is None:
        for name, method in METHODS.items():
            print(f"{name:18s} {method.library:11s} {method.what}")
        return
    check_method(options.method)
    if options.text is None:
        raise UserError("--text is missing: what is to be augmented?")
    config = read_settings(options.settings)
    if not (options.results / "lexicon" / "lexicon.json").exists():
        raise UserError(
            f"{options.results / 'lexicon'} is missing; 'snakemake --cores 1 results/lexicon/lexicon.json'"
        )
    if "PYTHONHASHSEED" not in os.environ:  # the libraries choose from sets, see lib.augmentation.making
        os.execve(sys.executable, [sys.executable, "-m", "lib", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})
    corpus = options.results / "corpus"
    criteria = load_development(corpus).criteria if (corpus / "corpus.json").exists() else {}
    tfidf = options.results / options.agent / "tfidf" if options.agent else None
    recipe = Recipe(
        options.method,
        (options.strength,),
        options.variants,
        _reserved(config, criteria),
        _resources(options, config, tfidf),
    )
    for variant in variants([options.text], recipe):
        if variant.error is not None:
            print(f"({variant.error} in {METHODS[options.method].library})")
        else:
            print(apply(options.text, variant.edits))


def _methods(config: Settings) -> list[str]:
    """Name the augmentation methods that the space may ask for."""
    from lib.augmentation.methods import of_strategies

    return of_strategies(config.space.strategies) if config.space.augments else []


def _reserved(config: Settings, criteria: dict[str, str]) -> tuple[str, ...]:
    """Return all terms that are never altered: those of the file, and the key terms of the corpus' criteria."""
    own = [term for name in criteria for term in config.words.criteria.get(name, ())]
    return tuple(sorted({*config.words.reserved, *own}))


def _resources(options: Namespace, config: Settings, tfidf: Path | None) -> "Resources":
    from lib.augmentation.libraries import Resources

    ner = config.config.augmentation.ner
    if ner is not None and not Path(ner).exists():
        raise UserError(f"augmentation.ner: {ner} is missing; name a flair tagger's file, or null to do without")
    return Resources(
        options.results / "lexicon", tfidf, config.words.equivalents, Path(ner) if ner is not None else None
    )


def augmentation_report(options: Namespace) -> None:
    """Describe what augmentation did."""
    from lib.augmentation.bank import BankManifest
    from lib.reporting import figures, ink
    from lib.reporting.augmentation import describe
    from lib.search.documents import StageA
    from lib.search.experiment import Run

    effects = StageA.read(inside(options, "stage_a_top50.json")).augmentation or []
    bank = BankManifest.read(inside(options, "augmentation/bank.json"))
    applied: Counter[str] = Counter()
    for path in sorted(inside(options, "runs").glob("*.json")):
        applied.update(Run.read(path).augmented)
    write_text(inside(options, "augmentation.md"), describe(bank, effects, applied))
    ink.save(figures.effects(effects), inside(options, "augmentation.svg"))
