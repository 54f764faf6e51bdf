"""What each command does: read its inputs, call the library, write its outputs."""

import os
import sys
import time
from argparse import Namespace
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError, unknown_name
from lib.files.atomic import write_json, write_text
from lib.files.documents import Provenance, now, provenance
from lib.files.reading import read_json
from lib.settings.load import Settings, json_schema, read_settings, resolved, save_settings

if TYPE_CHECKING:
    from lib.augmentation.libraries import Resources
    from lib.corpus.store import Development
    from lib.search.documents import FoldResult
    from lib.search.experiment import Experiment
    from lib.search.plans import Plan
    from lib.search.results import Search


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
    _say(f"generated {generator.posts} posts in {options.output}; no person wrote them")


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
        provenance=_provenance(config, "", started), sources=sources, missing=missing, fingerprint=fingerprint
    )
    made.write(folder / "lexicon.json")
    _say("lexicon: " + "; ".join(f"{name} from {source}" for name, source in sources.items()))
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
    development, agent = _development(options), get_agent(options.agent)
    examples = agent.examples(development, unannotated=config.config.corpus.unannotated, seed=config.config.seed)
    texts = Texts(examples, whole=not agent.reads_posts).unique
    of_tfidf = TfidfManifest.read(_in(options, "tfidf/manifest.json")).key
    of_lexicon = Lexicon.read(options.results / "lexicon" / "lexicon.json").fingerprint
    recipes = {}
    for method in _methods(config):
        recipe = Recipe(
            method=method,
            levels=config.space.strengths,
            variants=config.config.augmentation.variants,
            terms=_reserved(config, development.criteria),
            resources=_resources(options, config, _in(options, "tfidf")),
        )
        recipes[key(recipe, texts, tfidf=of_tfidf, lexicon=of_lexicon)] = recipe
    cache = options.results / "cache" / "augmentation"
    ready: list[str] = []

    def done(name: str) -> None:
        ready.append(name)
        counts = _counts(recipes[name].method, read_json(facts(cache, name)))
        _say(f"augmentation {options.agent} {len(ready)}/{len(recipes)}  {counts}")

    build(texts, recipes, cache, options.processes, done)
    # Only a generated corpus' texts may be shown.
    show = CorpusManifest.read(options.results / "corpus" / "corpus.json").generated
    entries = {recipe.method: entry(recipe, name, texts, cache, show=show) for name, recipe in recipes.items()}
    size = sum(entry.performance["bytes"] for entry in entries.values())
    seconds = round(time.perf_counter() - began, 2)
    BankManifest(
        provenance=_provenance(config, development.corpus_hash, started),
        agent=options.agent,
        texts=len(texts),
        levels=list(config.space.strengths),
        variants=config.config.augmentation.variants,
        methods=entries,
        performance={"seconds": seconds, "bytes": size},
    ).write(_in(options, "augmentation/bank.json"))
    notes = "".join(f"; {name}: {entry.note}" for name, entry in entries.items() if entry.note)
    _say(
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


def stage_a_worker(options: Namespace) -> None:
    """Do trials of Stage A."""
    from lib.search.documents import StageA, read_searched
    from lib.search.plans import plan_a

    settings = read_settings(options.settings)
    earlier = [
        read_searched(StageA, options.results / name / "stage_a_top50.json", settings.space)
        for name in settings.config.earlier(options.agent)
    ]
    _serve(options, settings, plan_a(settings, options.agent, earlier))


def stage_a(options: Namespace) -> None:
    """Keep the best of Stage A."""
    from lib.reporting import figures, ink
    from lib.search.stage_a import stage_a as collect

    search = _search(options)
    trials = search.finished("stage_a", search.settings.config.stage_a.trials)
    result = collect(search, trials)
    ink.save(figures.history(trials), _in(options, "stage_a.svg"))
    result.write(_in(options, "stage_a_top50.json"))


def augmentation_report(options: Namespace) -> None:
    """Describe what augmentation did."""
    from lib.augmentation.bank import BankManifest
    from lib.reporting import figures, ink
    from lib.reporting.augmentation import describe
    from lib.search.documents import StageA
    from lib.search.experiment import Run

    effects = StageA.read(_in(options, "stage_a_top50.json")).augmentation or []
    bank = BankManifest.read(_in(options, "augmentation/bank.json"))
    applied: Counter[str] = Counter()
    for path in sorted(_in(options, "runs").glob("*.json")):
        applied.update(Run.read(path).augmented)
    write_text(_in(options, "augmentation.md"), describe(bank, effects, applied))
    ink.save(figures.effects(effects), _in(options, "augmentation.svg"))


def stage_b_worker(options: Namespace) -> None:
    """Do trials of Stage B."""
    from lib.search.documents import StageA, read_searched
    from lib.search.plans import plan_b

    settings = read_settings(options.settings)
    best = read_searched(StageA, _in(options, "stage_a_top50.json"), settings.space)
    _serve(options, settings, plan_b(settings, options.agent, best))


def stage_b(options: Namespace) -> None:
    """Rank the trials of Stage B."""
    from lib.reporting import figures, ink
    from lib.search.stage_b import stage_b as collect

    result = collect(_search(options))
    ink.save(figures.front(result), _in(options, "stage_b.svg"))
    result.write(_in(options, "stage_b_pareto.json"))


def stage_c_candidates(options: Namespace) -> None:
    """Choose the candidates."""
    from lib.search.documents import StageB, read_searched
    from lib.search.selection import candidates

    search = _search(options)
    front = read_searched(StageB, _in(options, "stage_b_pareto.json"), search.settings.space)
    candidates(search, front).write(_in(options, "stage_c/candidates.json"))


def status(options: Namespace) -> None:
    """Say where every study stands."""
    from lib.search.status import describe

    settings = read_settings(options.settings)
    while True:
        print(describe(settings, options.results))
        if options.watch is None:
            return
        time.sleep(options.watch)


def _serve(options: Namespace, settings: Settings, plan: "Plan") -> None:
    """Do trials of a study, with partners on the same GPU, and write which."""
    from lib.cli.processes import Partners, end_with_parent, lease_gpu
    from lib.search.documents import Served
    from lib.search.serving import serve

    if options.partner:
        end_with_parent()
        gpu, partners = None, None
    else:
        gpu, partners = lease_gpu(settings), Partners(options, settings.config.trials_per_gpu)
    experiment = _experiment(options)
    served = serve(experiment, plan)
    for output in partners.outputs() if partners is not None else []:
        served = served.with_those_of(Served.read(output))
        output.unlink()
    served.write(options.output)
    if gpu is not None:
        gpu.release()


def stage_c_fold(options: Namespace) -> None:
    """Cross-validate one candidate on one fold."""
    from lib.cli.processes import lease_gpu
    from lib.search.documents import Candidates
    from lib.search.stage_c import fold

    chosen = Candidates.read(_in(options, "stage_c/candidates.json"))
    gpu = lease_gpu(read_settings(options.settings))
    result = fold(_experiment(options), chosen, options.candidate, options.fold)
    result.write(_in(options, f"stage_c/{options.candidate}-{options.fold}.json"))
    _say(
        f"stage_c {options.agent}  candidate {options.candidate}  {result.split}"
        f"  F1 {result.scores['f1_macro']:.3f}  ECE {result.scores['ece']:.3f}"
        f"  best epoch {result.best_epoch}  {result.performance['seconds']:.1f} s"
    )
    if gpu is not None:
        gpu.release()


def stage_c_baseline(options: Namespace) -> None:
    """Score the baseline on the folds."""
    from lib.search.baseline import baseline

    baseline(_experiment(options)).write(_in(options, "stage_c/baseline.json"))


def baseline(options: Namespace) -> None:
    """Score what a search must beat."""
    from lib.cli.processes import lease_gpu
    from lib.search.baseline import yardsticks

    gpu = lease_gpu(read_settings(options.settings))
    found = yardsticks(_experiment(options))
    found.write(_in(options, "baseline.json"))
    each = "; ".join(f"{entry.name} F1-macro {entry.f1_macro:.3f}, ECE {entry.ece:.3f}" for entry in found.entries)
    _say(f"baseline {options.agent}: {each}")
    if gpu is not None:
        gpu.release()


def final(options: Namespace) -> None:
    """Refit what Stage C chose and judge it once on the test set."""
    from lib.cli.processes import lease_gpu
    from lib.corpus.manifest import CorpusManifest
    from lib.final.card import model_card
    from lib.final.judging import judge, line
    from lib.final.refit import hand_over
    from lib.search.documents import StageC, Yardsticks

    gpu = lease_gpu(read_settings(options.settings))
    experiment = _experiment(options)
    result = StageC.read(_in(options, "stage_c.json"))
    baselines = Yardsticks.read(_in(options, "baseline.json"))
    model, test = judge(experiment, result, _folds(options, experiment.settings), baselines)
    generated = CorpusManifest.read(options.results / "corpus" / "corpus.json").generated
    hand_over(model, _in(options, "model"), model_card(model.manifest, test, generated=generated))
    test.write(_in(options, "test.json"))
    _say(line(test, experiment.agent))
    if gpu is not None:
        gpu.release()


def stage_c(options: Namespace) -> None:
    """Rank the candidates and choose."""
    from lib.reporting import figures, ink
    from lib.search.documents import Baseline, Candidates
    from lib.search.stage_c import collect

    experiment = _experiment(options)
    chosen = Candidates.read(_in(options, "stage_c/candidates.json"))
    folds = _folds(options, experiment.settings)
    result = collect(experiment, chosen, folds, Baseline.read(_in(options, "stage_c/baseline.json")))
    ink.save(figures.folds(result), _in(options, "stage_c.svg"))
    result.write(_in(options, "stage_c.json"))
    f1, ece, base = result.choice["f1_macro"], result.choice["ece"], result.baseline["f1_macro"]
    _say(
        f"stage_c {options.agent}: chose candidate {result.choice['candidate']}"
        f" ({result.choice['params']['model.backbone']}): F1-macro {f1['mean']:.3f} ± {f1['standard_error']:.3f},"
        f" ECE {ece['mean']:.3f}; {result.baseline['name']}:"
        f" F1-macro {base['mean']:.3f} ± {base['standard_error']:.3f}"
    )


def report(options: Namespace) -> None:
    """Write an agent's report."""
    from lib.reporting.report import Findings
    from lib.reporting.report import report as write
    from lib.search.documents import Judgement, StageA, StageB, StageC, Yardsticks
    from lib.search.experiment import Run
    from lib.search.results import place
    from lib.search.study import known

    experiment = _experiment(options)
    settings = experiment.settings
    result = StageC.read(_in(options, "stage_c.json"))
    runs = [Run.read(path) for path in sorted(_in(options, "runs").glob("*.json"))]
    own = [run for run in runs if run.held_out is not None and run.params == result.choice["params"]]
    found = Findings(
        settings=settings,
        agent=experiment.agent,
        examples=experiment.examples,
        trials={
            stage: known(place(settings, options.results, options.agent, stage)) or []
            for stage in ("stage_a", "stage_b")
        },
        stage_a=StageA.read(_in(options, "stage_a_top50.json")),
        stage_b=StageB.read(_in(options, "stage_b_pareto.json")),
        stage_c=result,
        folds=_folds(options, settings),
        runs=sorted(own, key=lambda run: run.split),
        baselines=Yardsticks.read(_in(options, "baseline.json")),
        test=Judgement.read(_in(options, "test.json")),
        benchmarks=_in(options, "benchmarks"),
    )
    write_text(_in(options, "report.html"), write(found))
    _say(f"report {options.agent}: {_in(options, 'report.html')}")


def summary(options: Namespace) -> None:
    """Put the agents side by side."""
    from lib.corpus.manifest import CorpusManifest
    from lib.reporting.summary import Summary, entry, html, markdown
    from lib.search.documents import Judgement, StageC

    started, config = now(), read_settings(options.settings)
    agents = [
        entry(
            StageC.read(options.results / agent / "stage_c.json"),
            Judgement.read(options.results / agent / "test.json"),
        )
        for agent in config.config.agents
    ]
    corpus_hash = CorpusManifest.read(options.results / "corpus" / "corpus.json").corpus_hash
    write_text(options.results / "summary.html", html(agents))
    write_text(options.results / "summary.md", markdown(agents))
    Summary(provenance=_provenance(config, corpus_hash, started), agents=agents).write(
        options.results / "summary.json"
    )
    print(markdown(agents))


def _folds(options: Namespace, settings: Settings) -> "list[FoldResult]":
    """Read the folds of all candidates."""
    from lib.search.documents import FoldResult

    limits = settings.config.stage_c
    return [
        FoldResult.read(_in(options, f"stage_c/{candidate}-{fold}.json"))
        for candidate in range(limits.candidates)
        for fold in range(limits.folds * limits.repeats)
    ]


def _in(options: Namespace, name: str) -> Path:
    path: Path = options.results / options.agent / name
    return path


def _search(options: Namespace) -> "Search":
    from lib.search.results import Search

    return Search(read_settings(options.settings), options.agent, options.results)


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
