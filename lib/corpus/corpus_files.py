"""Find the files of a corpus in its folder."""

from pathlib import Path

from lib.errors import UserError
from lib.settings.config import CorpusSettings

# The second name of each is that under which ReDSM5 is published.
_POSTS, _ANNOTATIONS = ("posts.csv", "redsm5_posts.csv"), ("annotations.csv", "redsm5_annotations.csv")


def find_corpus_files(settings: CorpusSettings, folder: Path) -> tuple[Path, Path]:
    """Return the files with the posts and with the annotations.

    Args:
        settings: Its `files` names them; otherwise they have their short names or those of ReDSM5.
        folder: The corpus folder.

    Returns:
        The paths of the two files, which exist.

    Raises:
        UserError: A file is missing; one line for each. Or one is there under both names.
    """
    files = settings.files
    names = (_POSTS, _ANNOTATIONS) if files is None else ((files.posts,), (files.annotations,))
    found = [[folder / name for name in alike if (folder / name).is_file()] for alike in names]
    for paths in found:
        if len(paths) > 1:
            raise UserError(
                f"{folder}: holds {' and '.join(path.name for path in paths)}; name the files in corpus.files"
            )
    missing = [alike for alike, paths in zip(names, found, strict=True) if not paths]
    if missing:
        raise UserError(
            f"{folder / alike[0]}: no such file; corpus.dir must hold {' or '.join(alike)}"
            " (README.md says how to get ReDSM5)"
            for alike in missing
        )
    (posts,), (annotations,) = found
    return posts, annotations
