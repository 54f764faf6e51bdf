"""What each command does: read its inputs, call the library, write its outputs."""

import json
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError, unknown_name
from lib.files.atomic import write_json, write_text
from lib.files.documents import Provenance, now, provenance
from lib.settings.load import Settings, json_schema, load_settings, merge, read_settings, read_yaml, save_settings

if TYPE_CHECKING:
    from lib.corpus.store import Development
    from lib.search.experiment import Experiment


def settings(options: Namespace) -> None:
    """Check and resolve the configuration."""
    raw: dict[str, Any] = {}
    for file in options.config:
        raw = merge(raw, read_yaml(file))
    if options.json:
        raw = merge(raw, json.loads(options.json))
    save_settings(load_settings(raw, options.config), options.output)


def schema(options: Namespace) -> None:
    """Write the JSON schema for editors."""
    write_json(options.output, json_schema())


def generate_corpus(options: Namespace) -> None:
    """Write a generated corpus."""
    from lib.corpus.generate import generate

    generator = read_settings(options.settings).config.generator
    generate(options.output, posts=generator.posts, seed=generator.seed, words=generator.words)
    _say(f"generated {generator.posts} posts in {options.output}; no person wrote them")


def corpus(options: Namespace) -> None:
    """Check a corpus and write its tables, splits, manifest, report and picture."""
    from lib.corpus import report
    from lib.corpus.reading import read_corpus
    from lib.corpus.store import CorpusManifest, part_of_posts, save_tables
    from lib.reporting import plots

    started, config = now(), read_settings(options.settings)
    read = read_corpus(config.config.corpus, options.input)
    parts = part_of_posts(read, config.config.corpus.test_fraction, config.config.seed)
    folder: Path = options.results / "corpus"
    generated = config.config.corpus.dir is None
    save_tables(read, parts, folder)
    source = "generated" if generated else str(options.input)
    write_text(folder / "report.md", report.describe(read, parts, source=source, generated=generated))
    plots.corpus(report.counts(read, parts), folder / "report.svg")
    joined = read.annotations.merge(parts, on="post_id")
    CorpusManifest(
        provenance=_provenance(config, read.hash(), started),
        generated=generated,
        corpus_hash=read.hash(),
        posts={name: int(n) for name, n in parts["part"].value_counts().items()},
        annotations={name: int(n) for name, n in joined["part"].value_counts().items()},
        positives={name: int(n) for name, n in joined.groupby("part")["status"].sum().items()},
        criteria=read.criteria,
        oddities=read.oddities,
    ).write(folder / "corpus.json")
    odd = sum(map(len, read.oddities.values()))
    _say(f"corpus: {len(parts)} posts, {len(joined)} annotations, {odd} oddities; see {folder / 'report.md'}")


def tfidf(options: Namespace) -> None:
    """Fit the TF-IDF cache."""
    from lib.agents import get_agent
    from lib.corpus.tfidf import TfidfManifest, build

    started, config = now(), read_settings(options.settings)
    development = _development(options)
    folder: Path = options.results / options.agent / "tfidf"
    examples = get_agent(options.agent).examples(
        development, unannotated=config.config.corpus.unannotated, seed=config.config.seed
    )
    texts = list(dict.fromkeys(examples.second))
    facts = build(texts, config.config.tfidf, cache=options.results / "cache" / "tfidf", folder=folder)
    TfidfManifest(
        provenance=_provenance(config, development.corpus_hash, started), agent=options.agent, **facts
    ).write(folder / "manifest.json")
    seconds = "reused" if facts["performance"]["reused"] else f"{facts['performance']['build_seconds']} s"
    _say(f"tfidf {options.agent}: {facts['features']} features of {facts['texts']} texts ({seconds})")


def backbone(options: Namespace) -> None:
    """Bring a backbone into the results folder."""
    from lib.files.hashing import derive_seed
    from lib.modeling.backbones import MANIFEST, BackboneManifest, fetch
    from lib.settings.config import HubBackbone, TinyBackbone

    started, config = now(), read_settings(options.settings)
    if options.name not in config.backbones:
        raise UserError(unknown_name("backbone", options.name, list(config.backbones)))
    source, texts, corpus_hash = config.backbones[options.name], list[str](), ""
    if isinstance(source, TinyBackbone):
        development = _development(options)
        corpus_hash = development.corpus_hash
        texts = [*development.posts["text"], *development.criteria.values()]
    folder: Path = options.results / "backbones" / options.name
    seed = derive_seed(config.config.seed, options.name)
    facts = fetch(options.name, source, folder, texts=texts, seed=seed)
    BackboneManifest(provenance=_provenance(config, corpus_hash, started), **facts).write(folder / MANIFEST)
    _say(f"backbone {options.name}: {facts['parameters']:,} parameters from {facts['resolved']}")
    if isinstance(source, HubBackbone) and not facts["resolved"].endswith(f"@{source.revision}"):
        commit = facts["resolved"].rpartition("@")[2]
        _say(
            f"backbone {options.name}: '{source.revision}' may move; to have these weights again, pin it:"
            f" revision: {commit}"
        )


def stage_a(options: Namespace) -> None:
    """Run Stage A."""
    from lib.reporting import plots
    from lib.search.stage_a import stage_a as run

    result = run(_experiment(options))
    plots.stage_a(result, _in(options, "stage_a.svg"))
    result.write(_in(options, "stage_a_top50.json"))


def stage_b(options: Namespace) -> None:
    """Run Stage B."""
    from lib.reporting import plots
    from lib.search.documents import StageA, read_searched
    from lib.search.stage_b import stage_b as run

    experiment = _experiment(options)
    best = read_searched(StageA, _in(options, "stage_a_top50.json"), experiment.settings.space)
    result = run(experiment, best)
    plots.stage_b(result, _in(options, "stage_b.svg"))
    result.write(_in(options, "stage_b_pareto.json"))


def stage_c_candidates(options: Namespace) -> None:
    """Choose the candidates."""
    from lib.search.documents import StageB, read_searched
    from lib.search.stage_c import candidates

    experiment = _experiment(options)
    front = read_searched(StageB, _in(options, "stage_b_pareto.json"), experiment.settings.space)
    candidates(experiment, front).write(_in(options, "stage_c/candidates.json"))


def stage_c_fold(options: Namespace) -> None:
    """Cross-validate one candidate on one fold."""
    from lib.search.documents import Candidates
    from lib.search.stage_c import fold

    chosen = Candidates.read(_in(options, "stage_c/candidates.json"))
    result = fold(_experiment(options), chosen, options.candidate, options.fold)
    result.write(_in(options, f"stage_c/{options.candidate}-{options.fold}.json"))
    _say(
        f"stage_c {options.agent}  candidate {options.candidate}  {result.split}"
        f"  F1 {result.scores['f1_macro']:.3f}  ECE {result.scores['ece']:.3f}"
        f"  best epoch {result.best_epoch}  {result.performance['seconds']:.1f} s"
    )


def stage_c_baseline(options: Namespace) -> None:
    """Score the baseline on the folds."""
    from lib.search.baseline import baseline

    baseline(_experiment(options)).write(_in(options, "stage_c/baseline.json"))


def stage_c(options: Namespace) -> None:
    """Rank the candidates and choose."""
    from lib.reporting import plots
    from lib.search.documents import Baseline, Candidates, FoldResult
    from lib.search.stage_c import collect

    experiment = _experiment(options)
    chosen = Candidates.read(_in(options, "stage_c/candidates.json"))
    limits = experiment.settings.config.stage_c
    results = [
        FoldResult.read(_in(options, f"stage_c/{candidate.number}-{fold}.json"))
        for candidate in chosen.candidates
        for fold in range(limits.folds * limits.repeats)
    ]
    result = collect(experiment, chosen, results, Baseline.read(_in(options, "stage_c/baseline.json")))
    plots.stage_c(result, _in(options, "stage_c.svg"))
    result.write(_in(options, "stage_c.json"))
    f1, ece, base = result.choice["f1_macro"], result.choice["ece"], result.baseline["f1_macro"]
    _say(
        f"stage_c {options.agent}: chose candidate {result.choice['candidate']}"
        f" ({result.choice['params']['model.backbone']}): F1-macro {f1['mean']:.3f} ± {f1['standard_error']:.3f},"
        f" ECE {ece['mean']:.3f}; {result.baseline['name']}:"
        f" F1-macro {base['mean']:.3f} ± {base['standard_error']:.3f}"
    )


def _in(options: Namespace, name: str) -> Path:
    path: Path = options.results / options.agent / name
    return path


def _experiment(options: Namespace) -> "Experiment":
    from lib.search.experiment import Experiment
    from lib.training.process import keep_freed_memory

    keep_freed_memory()
    return Experiment(read_settings(options.settings), options.agent, options.results)


def _development(options: Namespace) -> "Development":
    from lib.corpus.store import load_development

    return load_development(options.results / "corpus")


def _provenance(config: Settings, corpus_hash: str, started: str) -> Provenance:
    return provenance(
        config_hash=config.digest(), corpus_hash=corpus_hash, seed=config.config.seed, device="cpu", started=started
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
