"""Splits by group of posts, stratified by criterion and status."""

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


def count_strata(annotations: pd.DataFrame, groups: Sequence[int]) -> NDArray[np.float64]:
    """Count the annotations of each group of posts by criterion and status.

    Args:
        annotations: Columns group, criterion and status. Annotations of other groups are ignored.
        groups: The groups to count for.

    Returns:
        (groups, strata), with the groups in the given order and a stratum for each (criterion, status) that occurs.
    """
    pairs = list(zip(annotations["criterion"], annotations["status"], strict=True))
    column = {pair: number for number, pair in enumerate(sorted(set(pairs)))}
    row = {group: number for number, group in enumerate(groups)}
    counts = np.zeros((len(row), len(column)))
    for group, pair in zip(annotations["group"], pairs, strict=True):
        if group in row:
            counts[row[group], column[pair]] += 1
    return counts


def split_posts(
    annotations: pd.DataFrame, groups: Mapping[str, int], shares: Sequence[float], seed: int
) -> dict[str, int]:
    """Assign posts to parts, stratified by criterion and status; the posts of a group go to the same part.

    Args:
        annotations: Columns post_id, criterion and status. Annotations of other posts are ignored.
        groups: Post id to group.
        shares: Share of the groups in each part; they sum to 1.
        seed: Seed of the split.

    Returns:
        Post id to part number, from 0, in the order of `groups`.

    Raises:
        ValueError: The shares do not sum to 1.
    """
    known = annotations[["criterion", "status"]].assign(group=annotations["post_id"].map(groups)).dropna()
    order = list(dict.fromkeys(groups.values()))
    parts = dict(zip(order, stratify_groups(count_strata(known, order), shares, seed).tolist(), strict=True))
    return {post_id: parts[group] for post_id, group in groups.items()}


def split_folds(
    annotations: pd.DataFrame, groups: Mapping[str, int], *, k: int, repeat: int, seed: int
) -> dict[str, int]:
    """Assign posts to folds, stratified by criterion and status; the posts of a group go to the same fold.

    Args:
        annotations: Columns post_id, criterion and status.
        groups: Post id to group.
        k: Number of folds.
        repeat: Number of the repeat, from 0; each has other folds.
        seed: With `k` and `repeat`, it fixes the folds.

    Returns:
        Post id to fold, from 0 to k - 1.
    """
    return split_posts(annotations, groups, [1 / k] * k, derive_seed(seed, "folds", k, repeat))
