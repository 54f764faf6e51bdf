"""The command `augment`, which shows what an augmentation method does to a text."""

import os
import sys
from argparse import ArgumentParser, Namespace

from lib.cli.augmentation_inputs import method_resources, reserved_terms
from lib.cli.command import Command
from lib.errors import UserError
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--method", help="name of the method; without it, all methods are listed")
    parser.add_argument("--text", help="text to augment")
    parser.add_argument("--strength", type=float, default=0.3, help="share of the words that may be changed")
    parser.add_argument("--variants", type=int, default=3, help="number of variants to show")
    parser.add_argument("--agent", help="agent whose TF-IDF cache is used")


def show_augmentation(options: Namespace) -> None:
    """Print variants of a text by one method, or the list of methods.

    Raises:
        UserError: The method is unknown or refused, or the text or the lexicon is missing.
    """
    from lib.augmentation.build_bank import MethodConfig, compute_variants
    from lib.augmentation.edits import apply_edits
    from lib.augmentation.methods import METHODS, check_method
    from lib.corpus.store import load_development
    from lib.schemas.augmentation import Lexicon
    from lib.schemas.corpus import CorpusManifest

    if options.method is None:
        for name, method in METHODS.items():
            print(f"{name:18s} {method.library:11s} {method.what}")
        return
    check_method(options.method)
    if options.text is None:
        raise UserError("--text is missing; give the text to augment")
    settings = read_settings(options.settings)
    if not (options.results / "lexicon" / Lexicon.FILE).exists():
        raise UserError(
            f"{options.results / 'lexicon'} is missing; run 'snakemake --cores 1 results/lexicon/lexicon.json'"
        )
    if "PYTHONHASHSEED" not in os.environ:  # the libraries choose from sets, see lib.augmentation.build_bank
        os.execve(sys.executable, [sys.executable, "-m", "lib", *sys.argv[1:]], os.environ | {"PYTHONHASHSEED": "0"})
    corpus = options.results / "corpus"
    criteria = load_development(corpus).criteria if (corpus / CorpusManifest.FILE).exists() else {}
    tfidf = options.results / options.agent / "tfidf" if options.agent else None
    config = MethodConfig(
        options.method,
        (options.strength,),
        options.variants,
        reserved_terms(settings, criteria),
        method_resources(options, settings, tfidf),
    )
    for variant in compute_variants([options.text], config):
        if variant.error is not None:
            print(f"({variant.error} in {METHODS[options.method].library})")
        else:
            print(apply_edits(options.text, variant.edits))


COMMAND = Command(
    "augment",
    "Show what an augmentation method does to a text, or list all methods.",
    show_augmentation,
    add_arguments,
)
