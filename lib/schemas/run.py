"""The document of one training, and the part of it that a trial keeps."""

from collections.abc import Sequence
from typing import Any, ClassVar

from lib.pydantic_base import FrozenSchema
from lib.schemas.document import Document


class Run(Document):
    """runs/{key}.json, a finished training.

    Attributes:
        key: Hash of all that the run depends on, see `run_key`.
        split: Name of the split.
        params: Hyper-parameters, named as in the search space.
        objective: The score that chooses the best epoch and its population, in words; '' in older files.
        calibration: The calibration error in `history` and its population, in words; '' in older files.
        epochs: The length of the learning rate schedule.
        best_epoch: The epoch that scored best on the validation split; without one, the last.
        stopped: Why it ended.
        history: The figures of each epoch, and under `by_policy` those of each null policy.
        scores: Scores of the best epoch on the validation split; empty without one.
        rules: The decision rule of each task, fitted on that split.
        policy: The null policy of these rules, the best one of the best epoch; None without one.
        held_out: Scores on the held-out part, by rules that were fitted on one half of its groups and applied to the
            other; this and the next two are None without a held-out part.
        examples: Ids of the held-out examples.
        logits: The logits for `examples`, as `Agent.dump_logits` returns them.
        augmented: How often each augmentation method changed an example.
        performance: Figures measured with a clock or a memory counter.
    """

    KIND: ClassVar[str] = "run"
    VERSION: ClassVar[int] = 4

    agent: str
    key: str
    split: str
    params: dict[str, Any]
    objective: str = ""
    calibration: str = ""
    epochs: int
    best_epoch: int
    stopped: str
    history: list[dict[str, Any]]
    scores: dict[str, Any]
    rules: dict[str, Any]
    policy: str | None = None
    held_out: dict[str, Any] | None = None
    examples: list[str] | None = None
    logits: dict[str, Any] | None = None
    augmented: dict[str, int]
    performance: dict[str, float]


class SeedResult(FrozenSchema):
    """The result of one seed of a trial.

    Attributes:
        seed: Number of the seed.
        key: Names its run; empty if no run was kept.
        objective: At the best epoch, by the best null policy.
        calibration_error: Likewise.
        by_policy: Both for each null policy.
        best_epoch: The epoch with the highest objective.
        epochs_run: Number of epochs that it trained.
        stopped: Why it ended.
    """

    seed: int
    key: str
    objective: float
    calibration_error: float
    by_policy: dict[str, dict[str, float]]
    best_epoch: int
    epochs_run: int
    stopped: str


def best_policy(seeds: Sequence[SeedResult]) -> str:
    """Return the null policy with the highest mean objective over the seeds, of which there is at least one."""
    return max(seeds[0].by_policy, key=lambda name: sum(seed.by_policy[name]["objective"] for seed in seeds))


def mean_over_seeds(seeds: Sequence[SeedResult]) -> list[float]:
    """Return the mean objective and the mean calibration error of the seeds by `best_policy`."""
    policy = best_policy(seeds)
    return [
        sum(seed.by_policy[policy][name] for seed in seeds) / len(seeds)
        for name in ("objective", "calibration_error")
    ]
