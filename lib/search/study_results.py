"""Read the results of a finished study, without torch."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from optuna.trial import FrozenTrial, TrialState

from lib.agents import agent_space
from lib.errors import UserError
from lib.metrics.objective import Objective
from lib.schemas.corpus import CorpusManifest
from lib.schemas.document import Provenance, make_provenance
from lib.schemas.run import SeedResult, best_policy, mean_over_seeds
from lib.schemas.search import TrialCounts, TrialResult
from lib.settings.config import Config
from lib.settings.load import Settings
from lib.settings.outer_folds import outer_prefix
from lib.settings.space import Space
from lib.studies.budget import Budget
from lib.studies.location import StudyLocation, load_finished_trials


@dataclass(frozen=True)
class AgentSearch:
    """The search of one agent.

    Attributes:
        settings: The resolved settings.
        agent: Name of the agent.
        results: Folder of all results.
    """

    settings: Settings
    agent: str
    results: Path

    @property
    def objective(self) -> Objective:
        """What the search maximises and minimises."""
        return Objective.of(self.settings.config.objective)

    @cached_property
    def space(self) -> Space:
        """The agent's search space."""
        return agent_space(self.settings.space, self.agent)

    @cached_property
    def corpus_hash(self) -> str:
        """Content hash of the corpus."""
        return CorpusManifest.read(self.results / "corpus" / CorpusManifest.FILE).corpus_hash

    def provenance(self, started: str) -> Provenance:
        """Return the provenance of a document that only collects others and was begun at `started`."""
        return make_provenance(self.settings, started=started, corpus_hash=self.corpus_hash)

    def finished(self, stage: str) -> list[FrozenTrial]:
        """Return the trials of a study that has spent its budget.

        Args:
            stage: "stage_a" or "stage_b".

        Returns:
            All ended trials, by number.

        Raises:
            UserError: The budget is not spent.
        """
        location = study_location(self.settings, self.results, self.agent, stage)
        finished, budget, now = (
            load_finished_trials(location),
            stage_budget(self.settings.config, stage),
            time.time(),
        )
        if not budget.is_spent(finished, now):
            raise UserError(
                f"{location}: {len(finished)} of {budget.trials} trials have finished"
                f"{budget.describe(finished, now)}; run the rest with"
                f" 'python -m lib {stage.replace('_', '-')}-worker {self.agent}"
                f" --output {self.results / self.agent / stage / 'worker-0.json'} --results {self.results}'"
            )
        return finished


def study_location(settings: Settings, results: Path, agent: str, stage: str) -> StudyLocation:
    """Return where the study of a stage is kept.

    Args:
        settings: Names the storage.
        results: Folder of all results.
        agent: Name of the agent.
        stage: "stage_a" or "stage_b".

    Returns:
        The location; nothing is opened or created.
    """
    # Outer folds share a database with the main search.
    name = f"{outer_prefix(results)}{agent}/{stage}"
    return StudyLocation(name, results / agent / "studies", settings.config.storage)


def stage_budget(config: Config, stage: str) -> Budget:
    """Return the budget of a stage.

    Args:
        config: The configuration.
        stage: "stage_a" or "stage_b".
    """
    limits = config.stage_a if stage == "stage_a" else config.stage_b
    return Budget(limits.trials, limits.hours, limits.gpu_hours, config.trials_per_gpu)


def trial_result(trial: FrozenTrial) -> TrialResult:
    """Convert an ended Optuna trial to the form of the result files."""
    seeds = [SeedResult(**seed) for seed in trial.user_attrs.get("seeds", [])]
    return TrialResult(
        number=trial.number,
        state=trial.state.name,
        params=trial.params,
        objective=mean_over_seeds(seeds)[0] if seeds else None,
        calibration_error=mean_over_seeds(seeds)[1] if seeds else None,
        policy=best_policy(seeds) if seeds else None,
        seeds=seeds,
        reason=trial.user_attrs.get("reason"),
    )


def count_states(ended: Sequence[FrozenTrial]) -> TrialCounts:
    """Count the completed, pruned and failed trials."""
    states = [trial.state for trial in ended]
    return TrialCounts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
    )


def failure_reasons(ended: Sequence[FrozenTrial]) -> str:
    """Return the distinct reasons why trials failed, for an error message."""
    found = sorted({str(trial.user_attrs["reason"]) for trial in ended if "reason" in trial.user_attrs})
    return "; ".join(found) or "none failed"
