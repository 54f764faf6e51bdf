"""Group posts that no split may separate: those of one author, reposts and near-duplicates."""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# A near-duplicate shares most of its sequences of this many words.
_SHINGLE = 3
_PERMUTATIONS = 128
_WORD = re.compile(r"\w+")
# The costs of a false and of a missed candidate. A false one only costs an exact comparison; with these weights at
# least 99 % of the pairs at the limit are candidates (74 % with equal weights at the limit 0.8).
_LSH_WEIGHTS = (0.02, 0.98)


def group_posts(
    posts: Mapping[str, str], authors: Mapping[str, str], least: float
) -> tuple[dict[str, int], set[str]]:
    """Group posts by author, and join the groups of near-duplicates.

    Args:
        posts: Post id to text.
        authors: Post id to author. A post that is not listed counts as an only post of its author.
        least: Least Jaccard similarity of near-duplicates, see `near_duplicates`.

    Returns:
        The number of each post's group, from 0 in the order of `posts`, and the posts that have a near-duplicate.
    """
    ids = list(posts)
    place = {post_id: i for i, post_id in enumerate(ids)}
    first: dict[str, int] = {}
    edges = [(place[post_id], first.setdefault(author, place[post_id])) for post_id, author in authors.items()]
    alike = list(near_duplicates(list(posts.values()), least))
    rows, columns = np.array([*edges, *alike, (0, 0)]).T
    graph = coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(ids), len(ids)))
    group = connected_components(graph, directed=False)[1]
    return dict(zip(ids, group.tolist(), strict=True)), {ids[i] for pair in alike for i in pair}


def near_duplicates(texts: Sequence[str], least: float) -> Iterator[tuple[int, int]]:
    """Yield pairs of texts that are nearly the same.

    Candidates come from locality-sensitive hashing of MinHash signatures (Broder, 1997), and their similarity is then
    computed exactly. Case, punctuation and white space do not count.

    Args:
        texts: The texts.
        least: Least Jaccard similarity of the sets of three-word sequences, in (0, 1].

    Yields:
        (first, second), the places of two texts; first < second.
    """
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=least * 0.9, num_perm=_PERMUTATIONS, weights=_LSH_WEIGHTS)
    shingles = [_shingles(text) for text in texts]
    for second, own in enumerate(shingles):
        signature = MinHash(num_perm=_PERMUTATIONS, seed=1)
        signature.update_batch([shingle.encode("utf-8", "surrogatepass") for shingle in sorted(own)])
        for first in sorted(index.query(signature)):
            if len(own & shingles[first]) >= least * len(own | shingles[first]):
                yield first, second
        index.insert(second, signature)


def _shingles(text: str) -> set[str]:
    folded = text.casefold()
    words = _WORD.findall(folded) or folded.split()
    return {" ".join(words[start : start + _SHINGLE]) for start in range(max(1, len(words) - _SHINGLE + 1))}
