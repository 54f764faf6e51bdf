"""The command `lexicon`, which copies lexical data for augmentation to results/lexicon."""

import os
from argparse import Namespace
from pathlib import Path

from lib.cli.augmentation_inputs import searched_methods
from lib.cli.command import Command, echo
from lib.errors import UserError
from lib.schemas.document import make_provenance, now
from lib.settings.load import read_settings


def fetch_lexicon(options: Namespace) -> None:
    """Copy lexical data for augmentation to the results folder.

    Raises:
        UserError: The configured folder does not exist, or a method of the space lacks its data.
    """
    from lib.augmentation.lexicon import check_lexical_data, prepare_lexicon
    from lib.schemas.augmentation import Lexicon

    started, settings = now(), read_settings(options.settings)
    folder: Path = options.results / "lexicon"
    chosen = settings.config.augmentation.lexicon
    if chosen is not None and not Path(chosen).is_dir():
        raise UserError(f"augmentation.lexicon: {chosen} is not a folder; set it to a folder of NLTK data or to null")
    # NLTK itself looks in NLTK_DATA first.
    places = [chosen] if chosen is not None else os.environ.get("NLTK_DATA", "").split(os.pathsep)
    sources, missing, fingerprint = prepare_lexicon(folder, [Path(place) for place in places if place])
    made = Lexicon(
        provenance=make_provenance(settings, started=started),
        sources=sources,
        missing=missing,
        fingerprint=fingerprint,
    )
    made.write(folder / Lexicon.FILE)
    echo("lexicon: " + "; ".join(f"{name} from {source}" for name, source in sources.items()))
    check_lexical_data(made, searched_methods(settings))


COMMAND = Command(
    "lexicon",
    "Copy lexical data for augmentation to results/lexicon.",
    fetch_lexicon,
    online=True,
)
