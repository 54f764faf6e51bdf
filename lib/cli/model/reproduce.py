"""The command `reproduce`, which repeats a chosen trial and compares the scores."""

import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib.errors import UserError
from lib.schemas.document import versions
from lib.settings.load import save_settings

if TYPE_CHECKING:
    from lib.experiment.experiment import Experiment
    from lib.schemas.evaluation import TrialProvenance
    from lib.schemas.run import SeedResult
from lib.cli.command import Command
from lib.cli.data import augmentation_bank, backbone, generate_corpus, lexicon, tfidf
from lib.cli.data import corpus as data_corpus
from lib.cli.experiments import open_experiment

# Greatest difference of a score on the same CPU, and on any other device.
_SAME, _NEAR = 1e-9, 0.02


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("provenance", type=Path, help="path of a provenance.json")


def reproduce(options: Namespace) -> None:
    """Repeat a chosen trial from its provenance.json alone, in an empty folder, and compare the scores.

    Raises:
        UserError: The corpus, a backbone or a score differs.
    """
    from lib.evaluation.provenance import settings_of
    from lib.schemas.corpus import CorpusManifest
    from lib.schemas.evaluation import TrialProvenance

    found = TrialProvenance.read(options.provenance)
    settings = settings_of(found)
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        results = Path(folder) / "results"
        save_settings(settings, results / "settings.json")
        for command, words in _steps(found, settings.config.corpus.dir, results):
            _run_command(command, words, results)
        made = CorpusManifest.read(results / "corpus" / CorpusManifest.FILE).corpus_hash
        if made != found.provenance.corpus_hash:
            raise UserError(f"{options.provenance}: its corpus is {found.provenance.corpus_hash}, this one is {made}")
        with open_experiment(settings, found.agent, results, gpu=False) as experiment:
            for name, fingerprint in found.backbones.items():
                if (own := experiment.fingerprints()[name]) != fingerprint:
                    raise UserError(
                        f"{options.provenance}: its backbone '{name}' is {fingerprint}, this one is {own}"
                    )
            rows = list(_repeat_seeds(experiment, found.params, found.seeds))
    here, there = str(experiment.device), found.provenance.device
    print(f"trial {found.trial} of {found.agent}, made on {there}, now on {here}")
    print(experiment.objective.both_names)
    print("seed  objective then  now        calibration error then  now")
    for seed, (score, score_now), (error, error_now) in rows:
        print(f"{seed:4d}  {score:.8f}      {score_now:.8f} {error:.8f}              {error_now:.8f}")
    worst = max(abs(then - again) for _, *pairs in rows for then, again in pairs)
    exact = here == there and here.startswith("cpu")
    if worst > (_SAME if exact else _NEAR):
        raise UserError(f"the scores differ by up to {worst:.2g}; {_changed_versions(found.provenance.packages)}")
    print(f"The scores are equal{'' if worst <= _SAME else f' to within {worst:.2g}'}.")


def _steps(found: "TrialProvenance", corpus: str | None, results: Path) -> Iterator[tuple[Command, list[str]]]:
    """Yield the commands that prepare a trial's corpus, backbones and augmentation, with their arguments."""
    outer = [] if found.outer_fold is None else ["--outer-fold", str(found.outer_fold)]
    if corpus is None:
        corpus = str(results / "generated")
        yield generate_corpus.COMMAND, ["--output", corpus]
    yield data_corpus.COMMAND, ["--input", corpus, *outer]
    yield from ((backbone.COMMAND, [name]) for name in found.backbones)
    if found.params["aug.enabled"]:
        yield tfidf.COMMAND, [found.agent]
        yield lexicon.COMMAND, []
        yield augmentation_bank.COMMAND, [found.agent]


def _run_command(command: Command, words: list[str], results: Path) -> None:
    from lib.cli.main import parser

    places = ["--settings", str(results / "settings.json"), "--results", str(results)]
    options = parser().parse_args([command.name, *words, *places])
    options.run(options)


def _repeat_seeds(
    experiment: "Experiment", params: dict[str, Any], seeds: Sequence["SeedResult"]
) -> Iterator[tuple[int, tuple[float, float], tuple[float, float]]]:
    """Yield (seed, (objective then, objective now), (calibration error then, calibration error now))."""
    epochs = experiment.settings.config.training.epochs
    for seed in seeds:
        run = experiment.run(params, experiment.splits.development(seed.seed), epochs=epochs)
        yield (
            seed.seed,
            (seed.objective, run.scores["objective"]),
            (seed.calibration_error, run.scores["calibration_error"]),
        )


def _changed_versions(then: dict[str, str]) -> str:
    own = versions()
    other = [f"{name} {then[name]} then, {own[name]} now" for name in then if own.get(name) != then[name]]
    return "; ".join(other) or "the packages' versions are the same"


COMMAND = Command(
    "reproduce",
    "Repeat a chosen trial from its provenance.json alone, and compare the scores.",
    reproduce,
    add_arguments,
    settings=False,
    online=True,
)
