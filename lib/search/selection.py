"""Choose the candidates of Stage C, which have nearly the best objective and are spread along the Pareto front."""

import json
import math
from collections.abc import Sequence

import numpy as np

from lib.errors import UserError
from lib.schemas.document import now
from lib.schemas.search import Candidate, Candidates, StageBResult, TrialResult
from lib.search.study_results import AgentSearch
from lib.settings.hyperparameters import NULL_POLICY

_EPOCH_QUANTILE = 0.9


def select_candidates(search: AgentSearch, front: StageBResult) -> Candidates:
    """Choose the configurations that Stage C cross-validates.

    Args:
        search: The agent's search; its settings give the number of candidates.
        front: The ranked trials of Stage B.

    Returns:
        The candidates as the document of a result file.

    Raises:
        UserError: Stage B has too few distinct completed configurations.
    """
    started = now()
    limits = search.settings.config.stage_c
    chosen = choose_candidates(front.trials, limits.candidates, limits.band)
    return Candidates(
        provenance=search.provenance(started),
        agent=search.agent,
        objective=search.objective.name,
        calibration=search.objective.full_calibration_name,
        candidates=chosen,
    )


def choose_candidates(trials: Sequence[TrialResult], n: int, band: float) -> list[Candidate]:
    """Pick n distinct configurations that have nearly the best objective, spread along the front.

    Configurations in the band, i.e. with an objective of at least (1 − band) times the best, come first. Within the
    band they are picked by non-dominated rank. Within a rank, the one with the best objective is picked first, and
    each further one is the point farthest from all points already picked, with objective and calibration error scaled
    to [0, 1]. If the band has too few, those with the next best objectives follow. The first k of n candidates are
    the same as the candidates for n = k.

    Args:
        trials: Ranked trials of Stage B.
        n: Number of candidates.
        band: Width of the band, as a share of the best objective.

    Returns:
        The candidates in the order in which they were picked, numbered from 0.

    Raises:
        UserError: There are fewer than n distinct configurations.
    """
    distinct: dict[str, TrialResult] = {}
    for trial in sorted(trials, key=lambda t: (t.rank or 0, -_objective(t), t.number)):
        distinct.setdefault(json.dumps(trial.params, sort_keys=True), trial)
    if len(distinct) < n:
        raise UserError(
            f"stage_c.candidates is {n}, but Stage B has only {len(distinct)} distinct completed configurations;"
            " lower it, or raise stage_b.trials or its hours"
        )
    least = (1 - band) * max(map(_objective, distinct.values()))
    inside = [trial for trial in distinct.values() if _objective(trial) >= least]
    outside = sorted((t for t in distinct.values() if _objective(t) < least), key=_objective, reverse=True)
    picked = [*_spread(inside, n), *outside][:n]
    return [_candidate(number, trial) for number, trial in enumerate(picked)]


def _objective(trial: TrialResult) -> float:
    assert trial.objective is not None
    return trial.objective


def _spread(pool: Sequence[TrialResult], n: int) -> list[TrialResult]:
    """Pick at most n trials of a pool that is ordered by rank and objective, spread within each rank."""
    points = np.array([(t.objective, t.calibration_error) for t in pool], dtype=float)
    extent = np.ptp(points, axis=0)
    points = (points - points.min(axis=0)) / np.where(extent > 0, extent, 1)
    picked: list[int] = []
    for rank in sorted({t.rank or 0 for t in pool}):
        members = [i for i, t in enumerate(pool) if (t.rank or 0) == rank]
        picked.append(members.pop(0))
        while members and len(picked) < n:
            gaps = [min(float(np.linalg.norm(points[i] - points[j])) for j in picked) for i in members]
            picked.append(members.pop(int(np.argmax(gaps))))
        if len(picked) >= n:
            break
    return [pool[i] for i in picked[:n]]


def _candidate(number: int, trial: TrialResult) -> Candidate:
    assert trial.objective is not None and trial.calibration_error is not None
    return Candidate(
        number=number,
        trial=trial.number,
        rank=trial.rank or 0,
        params={**trial.params, NULL_POLICY: trial.policy},
        epochs=epochs_to_train([seed.best_epoch for seed in trial.seeds]),
        objective=trial.objective,
        calibration_error=trial.calibration_error,
    )


def epochs_to_train(best: Sequence[int]) -> int:
    """Return after how many epochs a training without a validation part ends.

    One epoch too few costs more than one too many, because the learning rate is low at the schedule's end
    (docs/performance.md).

    Args:
        best: The best epoch of each seed.

    Returns:
        The epoch by which nine in ten seeds had their best one.
    """
    return math.ceil(np.quantile(best, _EPOCH_QUANTILE))
