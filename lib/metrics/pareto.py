"""Pareto fronts of (objective, calibration error) points.

The objective is maximised and the error is minimised. By default they are F1-macro and 1 − Brier skill.
"""

from collections.abc import Sequence

import numpy as np

Point = tuple[float, float]


def non_dominated_ranks(points: Sequence[Point]) -> list[int]:
    """Return the non-dominated rank of each point (Deb et al., 2002), 0 for the Pareto front."""
    cost = np.array([(-objective, error) for objective, error in points]).reshape(-1, 2)
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
    """Return the points that no other point dominates, by ascending calibration error."""
    ranks = non_dominated_ranks(points)
    return sorted((p for p, rank in zip(points, ranks, strict=True) if rank == 0), key=lambda point: point[1])


def hypervolume(points: Sequence[Point], reference: Point = (0.0, 1.0)) -> float:
    """Return the hypervolume of points (Zitzler & Thiele, 1999).

    Args:
        points: The points, in any order. Those that are not better than the reference in both add nothing.
        reference: Objective and calibration error of the reference point, by default the worst corner of the unit
            square.

    Returns:
        The area that the points dominate and that dominates the reference point; in [0, 1] for the default.
    """
    area, reached = 0.0, reference[0]
    for objective, error in pareto_front(points):
        area += max(0.0, objective - reached) * max(0.0, reference[1] - error)
        reached = max(reached, objective)
    return area
