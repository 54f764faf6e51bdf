"""Pareto fronts of (F1, ECE) points, where F1 is maximised and ECE is minimised."""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


def non_dominated_ranks(points: Sequence[Point]) -> list[int]:
    """Return the non-dominated rank of each (F1, ECE) point (Deb et al., 2002), 0 for the Pareto front."""
    cost = np.array([(-f1, ece) for f1, ece in points]).reshape(-1, 2)
    no_worse = np.all(cost[:, None, :] <= cost[None, :, :], axis=2)
    better = np.any(cost[:, None, :] < cost[None, :, :], axis=2)
    dominates = np.asarray(no_worse & better)
    ranks = np.full(len(cost), -1)
    current = 0
    while (ranks < 0).any():
        left = ranks < 0
        front = left & ~dominates[left].any(axis=0)
        ranks[front] = current
        current += 1
    return [int(rank) for rank in ranks]


def pareto_front(points: Sequence[Point]) -> list[Point]:
    """Return the points that no other point dominates, by ascending ECE."""
    ranks = non_dominated_ranks(points)
    return sorted((p for p, rank in zip(points, ranks, strict=True) if rank == 0), key=lambda point: point[1])


def hypervolume(points: Sequence[Point], reference: Point = (0.0, 1.0)) -> float:
    """Return the hypervolume of (F1, ECE) points (Zitzler & Thiele, 1999).

    Args:
        points: The points, in any order. Those that are not better than the reference in both add nothing.
        reference: F1 and ECE of the reference point, by default the worst corner of the unit square.

    Returns:
        The area that the points dominate and that dominates the reference point; in [0, 1] for the default.
    """
    area, reached = 0.0, reference[0]
    for f1, ece in pareto_front(points):
        area += max(0.0, f1 - reached) * max(0.0, reference[1] - ece)
        reached = max(reached, f1)
    return area
