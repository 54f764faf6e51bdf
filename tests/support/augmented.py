"""An experiment with augmented texts, in which every method replaces some words by "zebra"."""

import functools
from pathlib import Path

import numpy as np

from lib.augmentation import build_bank
from lib.augmentation.augmenter import AugmentableTexts
from lib.augmentation.bank import counts_path
from lib.augmentation.build_bank import MethodConfig
from lib.augmentation.libraries import LexicalResources
from lib.augmentation.methods import METHODS
from lib.corpus.tfidf import fit_cached
from lib.experiment.experiment import Experiment
from lib.files.json_files import read_json
from lib.schemas.augmentation import BankEntry, BankManifest, SplitTfidf
from lib.settings.config import TfidfSettings
from lib.settings.load import read_settings, save_settings
from support.tiny import empty_provenance, params, tiny_settings

STRENGTH = 0.2


def experiment(agent: str) -> Experiment:
    """Make an experiment with a bank and augmentation in its space. Needs the fixture `zebra_augmentation`."""
    settings = tiny_settings(
        constraints={"aug.enabled": {"choices": [False, True]}, "aug.max_replace": {"choices": [STRENGTH]}}
    )
    save_settings(settings, "results/settings.json")
    made = Experiment(read_settings("results/settings.json"), agent, Path("results"))
    texts = AugmentableTexts(made.examples, whole=not made.agent.reads_posts).unique
    cache, entries = Path("results/cache/augmentation"), {}
    for method in METHODS:
        build_bank._write_variants(cache, f"{agent}-{method}", _variants(tuple(texts), method), 1.0)
        counts = read_json(counts_path(cache, f"{agent}-{method}"))
        entries[method] = BankEntry(key=f"{agent}-{method}", note=None, examples=[], **counts)
    fitted, _ = fit_cached(list(dict.fromkeys(made.examples.text)), TfidfSettings(), Path("results/cache/tfidf"))
    BankManifest(
        provenance=empty_provenance(),
        agent=agent,
        texts=len(texts),
        levels=[STRENGTH],
        variants=2,
        methods=entries,
        splits=dict.fromkeys(made.splits.training_parts(), SplitTfidf(tfidf=fitted.name, variants=f"{agent}-tfidf")),
        performance={"seconds": 1.0, "bytes": 2.0**20},
    ).write(f"results/{agent}/augmentation/bank.json")
    return made


@functools.cache
def _variants(texts: tuple[str, ...], method: str) -> list[build_bank.Variant]:
    config = MethodConfig(method, (STRENGTH,), 2, ("sleep",), LexicalResources(Path("nowhere")))
    return build_bank.compute_variants(texts, config)


def zebra(method: str, strength: float, resources: LexicalResources):
    """Return an augmentation method that replaces about a third of the words by "zebra"."""

    def augment(text: str) -> str:
        return " ".join("zebra" if np.random.random() < 0.3 else word for word in text.split())

    return augment


def augmenting_params(agent: str, **more: object) -> dict:
    """Return a point of the space that has augmentation on."""
    return params(
        **{
            "aug.enabled": True,
            "aug.p_apply": 0.5,
            "aug.ops_per_sample": 2,
            "aug.max_replace": STRENGTH,
            "optim.lr": 1e-3,
        }
        | {"optim.batch_size": 64}
        | more
    )
