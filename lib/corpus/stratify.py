"""Splits by post, stratified by criterion and status."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.files.hashing import derive_seed


def stratify_groups(counts: NDArray[np.float64], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Distribute groups over parts so that each part gets its share of every stratum.

    This is iterative stratification (Sechidis et al., 2011) for whole groups. The groups with the rarest strata come
    first, and each goes to the part that still lacks most of the strata in it.

    Args:
        counts: (groups, strata), how often each stratum occurs in each group.
        shares: Share of each part; they sum to 1.
        seed: Seed that breaks ties.

    Returns:
        (groups,), the part of each group, from 0. No part is empty if there are at least as many groups as parts.

    Raises:
        ValueError: The shares do not sum to 1.
    """
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must sum to 1, not {sum(shares)}")
    rng = np.random.default_rng(seed)
    n = len(counts)
    # One more stratum counts the groups, so that parts get their share of posts and not only of rows.
    counts = np.hstack([counts, np.ones((n, 1))])
    totals = counts.sum(axis=0)
    weight = np.divide(1.0, totals, out=np.zeros_like(totals), where=totals > 0)
    target = np.outer(shares, totals)
    missing = target.copy()
    rarity = (counts * weight).max(axis=1) + rng.random(n) * 1e-9
    parts = np.full(n, -1)
    empty = set(range(len(shares)))
    for rank, group in enumerate(np.argsort(-rarity)):
        need = ((missing / np.maximum(target, 1e-12)) * counts[group] * weight).sum(axis=1)
        need += rng.random(len(shares)) * 1e-9
        if empty and n - rank <= len(empty):
            need = np.where([part in empty for part in range(len(shares))], need, -np.inf)
        part = int(need.argmax())
        parts[group] = part
        empty.discard(part)
        missing[part] -= counts[group]
    return parts


def count_strata(annotations: pd.DataFrame, post_ids: Sequence[str]) -> NDArray[np.float64]:
    """Count the annotations of each post by criterion and status.

    Args:
        annotations: Columns post_id, criterion and status. Annotations of other posts are ignored.
        post_ids: The posts to count for.

    Returns:
        (posts, strata), with the posts in the given order and a stratum for each (criterion, status) that occurs.
    """
    if not len(annotations):
        return np.zeros((len(post_ids), 0))
    table = pd.crosstab(annotations["post_id"], [annotations["criterion"], annotations["status"]])
    return table.reindex(list(post_ids), fill_value=0).to_numpy(dtype=np.float64)


def split_posts(
    annotations: pd.DataFrame, posts: Mapping[str, str], shares: Sequence[float], seed: int
) -> dict[str, int]:
    """Assign posts to parts, stratified by criterion and status.

    Posts with the same text (see `normalise_text`) go to the same part.

    Args:
        annotations: Columns post_id, criterion and status. Annotations of other posts are ignored.
        posts: Post id to text.
        shares: Share of the posts in each part; they sum to 1.
        seed: Seed of the split.

    Returns:
        Post id to part number, from 0, in the order of `posts`.

    Raises:
        ValueError: The shares do not sum to 1.
    """
    first_of: dict[str, str] = {}
    twin = {post_id: first_of.setdefault(normalise_text(text), post_id) for post_id, text in posts.items()}
    firsts = [post_id for post_id in posts if twin[post_id] == post_id]
    known = annotations[["post_id", "criterion", "status"]].assign(post_id=annotations["post_id"].map(twin)).dropna()
    parts = dict(zip(firsts, stratify_groups(count_strata(known, firsts), shares, seed).tolist(), strict=True))
    return {post_id: parts[twin[post_id]] for post_id in posts}


def normalise_text(text: str) -> str:
    """Return a text in lower case and with single spaces, which is equal for reposts."""
    return " ".join(text.casefold().split())


def split_folds(
    annotations: pd.DataFrame, posts: Mapping[str, str], *, k: int, repeat: int, seed: int
) -> dict[str, int]:
    """Assign posts to folds, stratified by criterion and status.

    Args:
        annotations: Columns post_id, criterion and status.
        posts: Post id to text.
        k: Number of folds.
        repeat: Number of the repeat, from 0; each has other folds.
        seed: With `k` and `repeat`, it fixes the folds.

    Returns:
        Post id to fold, from 0 to k - 1.
    """
    return split_posts(annotations, posts, [1 / k] * k, derive_seed(seed, "folds", k, repeat))
