"""The command `backbone`, which fetches or builds a backbone in results/backbones."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command, echo
from lib.cli.experiments import load_development_set
from lib.errors import UserError, unknown_name
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", help="name of the backbone in the backbones file")
    parser.add_argument(
        "--random-init", action="store_true", help="build it in base size with random weights, to measure speed"
    )


def fetch_backbone(options: Namespace) -> None:
    """Fetch or build a backbone in the results folder.

    Raises:
        UserError: The name is unknown, the backbone cannot be fetched, or its architecture is not declared.
    """
    from lib.files.hashing import derive_seed
    from lib.modeling.backbones import fetch
    from lib.schemas.backbone import BackboneManifest
    from lib.settings.config import HubBackbone, RandomBackbone

    started, settings = now(), read_settings(options.settings)
    if options.name not in settings.backbones:
        raise UserError(unknown_name("backbone", options.name, list(settings.backbones)))
    source, texts, corpus_hash = settings.backbones[options.name], list[str](), ""
    if options.random_init:
        architecture = getattr(source, "architecture", None)
        if architecture is None:
            raise UserError(
                f"backbone '{options.name}': --random-init needs its 'architecture' in the backbones file"
            )
        source = RandomBackbone(source="random", architecture=architecture)
    if source.needs_corpus:
        development = load_development_set(options)
        corpus_hash = development.corpus_hash
        texts = [*development.posts["text"], *development.criteria.values()]
    folder: Path = options.results / "backbones" / options.name
    seed = derive_seed(settings.config.seed, options.name)
    facts = fetch(options.name, source, folder, texts=texts, seed=seed)
    BackboneManifest(provenance=make_provenance(settings, started=started, corpus_hash=corpus_hash), **facts).write(
        folder / BackboneManifest.FILE
    )
    echo(f"backbone {options.name}: {facts['parameters']:,} parameters from {facts['resolved']}")
    if isinstance(source, HubBackbone) and not facts["resolved"].endswith(f"@{source.revision}"):
        commit = facts["resolved"].rpartition("@")[2]
        echo(
            f"backbone {options.name}: '{source.revision}' may move; set 'revision: {commit}' to get the same weights"
            " again"
        )


COMMAND = Command(
    "backbone",
    "Fetch or build a backbone in results/backbones.",
    fetch_backbone,
    add_arguments,
    online=True,
)
