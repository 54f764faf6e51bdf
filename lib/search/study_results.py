"""The results of a finished study. Without torch, since nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from lib.corpus.manifest import CorpusManifest
from lib.errors import UserError
from lib.schemas.document import Provenance, make_provenance
from lib.schemas.run import SeedResult
from lib.schemas.search import TrialCounts, TrialResult
from lib.settings.load import Settings
from lib.studies.location import FINISHED_STATES, StudyLocation, load_trials


@dataclass(frozen=True)
class SearchResults:
    """An agent's search."""

    settings: Settings
    agent: str
    results: Path

    @cached_property
    def corpus_hash(self) -> str:
        """The hash of the corpus."""
        return CorpusManifest.read(self.results / "corpus" / "corpus.json").corpus_hash

    def provenance(self, started: str) -> Provenance:
        """Return the provenance of a document that collects others."""
        return make_provenance(self.settings, started=started, corpus_hash=self.corpus_hash)

    def finished(self, stage: str, budget: int) -> list[FrozenTrial]:
        """Return the trials of a study that has spent its budget. Raises UserError if it has not."""
        location = study_location(self.settings, self.results, self.agent, stage)
        finished = [trial for trial in load_trials(location) or [] if trial.state in FINISHED_STATES]
        if len(finished) < budget:
            raise UserError(
                f"{location}: {len(finished)} of {budget} trials have finished; run the rest by"
                f" 'python -m lib {stage.replace('_', '-')}-worker {self.agent}"
                f" --output {self.results / self.agent / stage / 'worker-0.json'}'"
            )
        return finished


def study_location(settings: Settings, results: Path, agent: str, stage: str) -> StudyLocation:
    """Return where a stage's study is."""
    return StudyLocation(f"{agent}/{stage}", results / agent / "studies", settings.config.storage)


def trial_result(trial: FrozenTrial) -> TrialResult:
    """Turn a trial that is over into what the result files hold."""
    seeds = [SeedResult(**seed) for seed in trial.user_attrs.get("seeds", [])]
    return TrialResult(
        number=trial.number,
        state=trial.state.name,
        params=trial.params,
        f1_macro=float(np.mean([s.f1_macro for s in seeds])) if seeds else None,
        ece=float(np.mean([s.ece for s in seeds])) if seeds else None,
        seeds=seeds,
        reason=trial.user_attrs.get("reason"),
    )


def count_states(ended: Sequence[FrozenTrial]) -> TrialCounts:
    """Count how trials ended."""
    states = [trial.state for trial in ended]
    return TrialCounts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
    )


def failure_reasons(ended: Sequence[FrozenTrial]) -> str:
    """Say why trials failed, for an error line."""
    found = sorted({str(trial.user_attrs["reason"]) for trial in ended if "reason" in trial.user_attrs})
    return "; ".join(found) or "none failed"
