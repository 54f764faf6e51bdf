"""Splits by post, stratified by criterion and status. A post is in exactly one part, whatever the corpus."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lib.files.hashing import derive_seed


def stratify_groups(counts: NDArray[np.float64], shares: Sequence[float], seed: int) -> NDArray[np.int64]:
    """Distribute groups over parts so that every stratum is shared out as asked.

    Iterative stratification (Sechidis et al., 2011) for whole groups: the groups with the rarest strata choose
    first, each goes to the part that still lacks most of what it holds.

    counts: (groups, strata), how often a stratum occurs in a group. shares: of the parts, summing to 1.
    Returns (groups,) part numbers. Every part gets a group if there are as many groups as parts.
    Raises ValueError if shares do not sum to 1.
    """
    if abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must sum to 1, not {sum(shares)}")
    rng = np.random.default_rng(seed)
    n = len(counts)
    # The number of groups is itself a stratum: parts get their share of posts, not only of rows.
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
    """Count, for each post in the given order, its annotations by (criterion, status)."""
    if not len(annotations):
        return np.zeros((len(post_ids), 0))
    table = pd.crosstab(annotations["post_id"], [annotations["criterion"], annotations["status"]])
    return table.reindex(list(post_ids), fill_value=0).to_numpy(dtype=np.float64)


def split_posts(
    annotations: pd.DataFrame, posts: Mapping[str, str], shares: Sequence[float], seed: int
) -> dict[str, int]:
    """Assign posts (id to text) to parts: id to part number. Reposts, posts of the same text, stay together."""
    first_of: dict[str, str] = {}
    twin = {post_id: first_of.setdefault(normalise_text(text), post_id) for post_id, text in posts.items()}
    firsts = [post_id for post_id in posts if twin[post_id] == post_id]
    known = annotations[["post_id", "criterion", "status"]].assign(post_id=annotations["post_id"].map(twin)).dropna()
    parts = dict(zip(firsts, stratify_groups(count_strata(known, firsts), shares, seed).tolist(), strict=True))
    return {post_id: parts[twin[post_id]] for post_id in posts}


def normalise_text(text: str) -> str:
    """Return what two posts share that are the same but for case and white space."""
    return " ".join(text.casefold().split())


def split_folds(
    annotations: pd.DataFrame, posts: Mapping[str, str], *, k: int, repeat: int, seed: int
) -> dict[str, int]:
    """Assign posts (id to text) to k folds; each repeat shuffles anew."""
    return split_posts(annotations, posts, [1 / k] * k, derive_seed(seed, "folds", k, repeat))
