"""Find the files of a corpus in its folder."""

from pathlib import Path

from lib.errors import UserError
from lib.settings.config import CorpusSettings

# Posts and annotations; the second pair has the names under which ReDSM5 is published.
_NAMES = (("posts.csv", "annotations.csv"), ("redsm5_posts.csv", "redsm5_annotations.csv"))


def find_corpus_files(settings: CorpusSettings, folder: Path) -> tuple[Path, Path]:
    """Return the files with the posts and with the annotations.

    Args:
        settings: Its `files` names them; otherwise they have their short names or those of ReDSM5.
        folder: The corpus folder.

    Returns:
        The paths of the two files, which exist.

    Raises:
        UserError: A file is missing; one line for each. Or there are files under both names.
    """
    candidates = _NAMES if settings.files is None else ((settings.files.posts, settings.files.annotations),)
    found = [tuple(folder / name for name in names) for names in candidates]
    both = [posts for posts, annotations in found if posts.is_file() and annotations.is_file()]
    if len(both) > 1:
        names = " and ".join(path.name for path in both)
        raise UserError(f"{folder}: holds {names}; name the files in corpus.files")
    # The pair with the most files, so that an error names what is missing beside what is there.
    posts, annotations = max(found, key=lambda pair: sum(path.is_file() for path in pair))
    missing = [path for path in (posts, annotations) if not path.is_file()]
    if missing:
        others = " or ".join(" and ".join(names) for names in candidates)
        raise UserError(
            f"{path}: no such file; corpus.dir must hold {others} (README.md says how to get ReDSM5)"
            for path in missing
        )
    return posts, annotations
