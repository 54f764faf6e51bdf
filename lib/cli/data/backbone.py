"""The command `backbone`: bring a backbone into results/backbones."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from lib.cli.command import Command
from lib.cli.common import echo, load_development_set
from lib.errors import UserError, unknown_name
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", help="a name from the backbones file")
    parser.add_argument(
        "--random-init", action="store_true", help="its architecture in base size, random weights: to measure speed"
    )


def fetch_backbone(options: Namespace) -> None:
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
        development = load_development_set(options)
        corpus_hash = development.corpus_hash
        texts = [*development.posts["text"], *development.criteria.values()]
    folder: Path = options.results / "backbones" / options.name
    seed = derive_seed(config.config.seed, options.name)
    facts = fetch(options.name, source, folder, texts=texts, seed=seed)
    BackboneManifest(provenance=make_provenance(config, started=started, corpus_hash=corpus_hash), **facts).write(
        folder / MANIFEST
    )
    echo(f"backbone {options.name}: {facts['parameters']:,} parameters from {facts['resolved']}")
    if isinstance(source, HubBackbone) and not facts["resolved"].endswith(f"@{source.revision}"):
        commit = facts["resolved"].rpartition("@")[2]
        echo(
            f"backbone {options.name}: '{source.revision}' may move; to have these weights again, pin it:"
            f" revision: {commit}"
        )


COMMAND = Command(
    "backbone",
    "Bring a backbone into results/backbones.",
    fetch_backbone,
    add_arguments,
)
