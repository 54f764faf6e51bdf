"""What a finished study gave; without torch, since nothing is trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from optuna.trial import FrozenTrial, TrialState

from lib.corpus.manifest import CorpusManifest
from lib.errors import UserError
from lib.files.documents import Provenance, provenance
from lib.search.documents import NO_TRAINING, Counts, SeedResult, TrialResult
from lib.search.study import OVER, Place, known
from lib.settings.load import Settings


@dataclass(frozen=True)
class Search:
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
        return provenance(
            config_hash=self.settings.digest(),
            corpus_hash=self.corpus_hash,
            seed=self.settings.config.seed,
            device=NO_TRAINING,
            started=started,
        )

    def finished(self, stage: str, budget: int) -> list[FrozenTrial]:
        """Return the trials of a study that has its budget. Raises UserError if it has not."""
        at = place(self.settings, self.results, self.agent, stage)
        over = [trial for trial in known(at) or [] if trial.state in OVER]
        if len(over) < budget:
            raise UserError(
                f"{at}: {len(over)} of {budget} trials are over; have the rest done by"
                f" 'python -m lib {stage.replace('_', '-')}-worker {self.agent}"
                f" --output {self.results / self.agent / stage / 'worker-0.json'}'"
            )
        return over


def place(settings: Settings, results: Path, agent: str, stage: str) -> Place:
    """Return where a stage's study is."""
    return Place(f"{agent}/{stage}", results / agent / "studies", settings.config.storage)


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


def counts(ended: Sequence[FrozenTrial]) -> Counts:
    """Count how trials ended."""
    states = [trial.state for trial in ended]
    return Counts(
        complete=states.count(TrialState.COMPLETE),
        pruned=states.count(TrialState.PRUNED),
        failed=states.count(TrialState.FAIL),
    )


def reasons(ended: Sequence[FrozenTrial]) -> str:
    """Say why trials failed, for an error line."""
    found = sorted({str(trial.user_attrs["reason"]) for trial in ended if "reason" in trial.user_attrs})
    return "; ".join(found) or "none failed"
