"""Commands for later years: `provenance`, `reproduce` and `archive`."""

import io
import json
import sys
import tarfile
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError
from lib.files.atomic import replacing
from lib.files.documents import code_version, now, versions
from lib.files.hashing import hash_file
from lib.settings.load import read_settings, save_settings

if TYPE_CHECKING:
    from lib.search.documents import SeedResult
    from lib.search.experiment import Experiment

# Scores of two runs on a CPU are equal to the last bit; a GPU's sums come in another order each time.
_SAME, _NEAR = 1e-9, 0.02
# Texts, what is made of them, and what can be made again.
_LEFT_OUT = ("cache", "corpus", "generated", "backbones", "lexicon", "mlartifacts", "tfidf")


def provenance(options: Namespace) -> None:
    """Write an agent's provenance.json."""
    from lib.search.experiment import Experiment
    from lib.search.origin import origin

    started = now()
    experiment = Experiment(read_settings(options.settings), options.agent, options.results)
    origin(experiment, started).write(options.results / options.agent / "provenance.json")


def reproduce(options: Namespace) -> None:
    """Make a chosen trial again from its provenance.json alone, in an empty folder, and compare."""
    from lib.corpus.manifest import CorpusManifest
    from lib.search.experiment import Experiment
    from lib.search.origin import Origin, settings_of

    found = Origin.read(options.study)
    settings = settings_of(found)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        results = Path(folder) / "results"
        save_settings(settings, results / "settings.json")
        for words in _steps(found.agent, settings.config.corpus.dir, list(found.backbones), found.params, results):
            _do(words, results)
        made = CorpusManifest.read(results / "corpus" / "corpus.json").corpus_hash
        if made != found.provenance.corpus_hash:
            raise UserError(f"{options.study}: its corpus is {found.provenance.corpus_hash}, this one is {made}")
        experiment = Experiment(settings, found.agent, results)
        for name, fingerprint in found.backbones.items():
            if (own := experiment.backbones.fingerprint(name)) != fingerprint:
                raise UserError(f"{options.study}: its backbone '{name}' is {fingerprint}, this one is {own}")
        rows = list(_compared(experiment, found.params, found.seeds))
    here, there = str(experiment.device), found.provenance.device
    print(f"trial {found.trial} of {found.agent}, made on {there}, now on {here}")
    print("seed  F1-macro then  now        ECE then   now")
    for seed, (f1, f1_now), (ece, ece_now) in rows:
        print(f"{seed:4d}  {f1:.8f}     {f1_now:.8f} {ece:.8f} {ece_now:.8f}")
    worst = max(abs(then - again) for _, *pairs in rows for then, again in pairs)
    exact = here == there and here.startswith("cpu")
    if worst > (_SAME if exact else _NEAR):
        raise UserError(f"not the same: differs by up to {worst:.2g}; {_versions(found.provenance.packages)}")
    print(f"the same{'' if worst <= _SAME else f' to within {worst:.2g}'}")


def _steps(
    agent: str, corpus: str | None, backbones: list[str], params: dict[str, Any], results: Path
) -> Iterator[list[str]]:
    source = corpus
    if source is None:
        source = str(results / "generated")
        yield ["generate-corpus", "--output", source]
    yield ["corpus", "--input", source]
    yield from (["backbone", name] for name in backbones)
    if params["aug.enabled"]:
        yield ["tfidf", agent]
        yield ["lexicon"]
        yield ["augmentation-bank", agent]


def _do(words: list[str], results: Path) -> None:
    from lib.cli.main import parser

    options = parser().parse_args([*words, "--settings", str(results / "settings.json"), "--results", str(results)])
    options.run(options)


def _compared(
    experiment: "Experiment", params: dict[str, Any], seeds: Sequence["SeedResult"]
) -> Iterator[tuple[int, tuple[float, float], tuple[float, float]]]:
    """Yield (seed, (F1 then, now), (ECE then, now))."""
    limits = experiment.settings.config.stage_b
    for seed in seeds:
        run = experiment.run(params, experiment.development_split(seed.seed), epochs=limits.epochs)
        yield seed.seed, (seed.f1_macro, run.scores["f1_macro"]), (seed.ece, run.scores["ece"])


def _versions(then: dict[str, str]) -> str:
    own = versions()
    other = [f"{name} {then[name]} then, {own[name]} now" for name in then if own.get(name) != then[name]]
    return "; ".join(other) or "the packages' versions are the same"


def archive(options: Namespace) -> None:
    """Put results, configuration, versions and hashes into one tar; texts, caches and backbones stay out."""
    results: Path = options.results
    files = [p for p in sorted(results.rglob("*")) if p.is_file() and not _left_out(p.relative_to(results))]
    if not files:
        raise UserError(f"{results}: there is nothing to archive")
    own = Path("config")
    files += sorted(p for p in own.rglob("*") if p.is_file()) if own.is_dir() else []
    manifest = {
        "made": now(),
        "code_version": code_version(),
        "python": sys.version.split()[0],
        "packages": {
            d.metadata["Name"]: d.version for d in sorted(distributions(), key=lambda d: d.metadata["Name"])
        },
        "files": {str(path): hash_file(path) for path in files},
    }
    with replacing(options.output) as temporary, tarfile.open(temporary, "w:gz") as tar:
        body = json.dumps(manifest, indent=1).encode()
        entry = tarfile.TarInfo("MANIFEST.json")
        entry.size = len(body)
        tar.addfile(entry, io.BytesIO(body))
        for path in files:
            tar.add(path, arcname=str(path), recursive=False)
    print(f"{options.output}: {len(files)} files; texts, caches and backbones are not in it", file=sys.stderr)


def _left_out(path: Path) -> bool:
    return any(part in _LEFT_OUT or part.startswith(".") for part in path.parts) or path.suffix == ".lock"
