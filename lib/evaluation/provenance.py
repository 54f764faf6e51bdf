"""Write and read provenance.json, which holds everything needed to repeat and compare an agent's chosen trial."""

import json

from lib.experiment.experiment import Experiment
from lib.files.hashing import hash_file
from lib.schemas.evaluation import Baselines, ModelManifest, StageCResult, TestEvaluation, TrialProvenance
from lib.schemas.run import Run
from lib.schemas.search import Candidates, StageAResult, StageBResult
from lib.settings.load import Settings
from lib.settings.outer_folds import outer_fold

_RESULTS = (
    StageAResult.FILE,
    StageBResult.FILE,
    StageCResult.FILE,
    Baselines.FILE,
    TestEvaluation.FILE,
    f"model/{ModelManifest.FILE}",
)


def trial_provenance(experiment: Experiment, started: str) -> TrialProvenance:
    """Return the provenance of an agent's chosen trial.

    Args:
        experiment: The agent's experiment, with a finished Stage C.
        started: When the document was begun, as `now` returns it.

    Returns:
        The chosen trial of Stage B with its settings and scores, and the hashes of all result files that exist.
    """
    folder = experiment.results / experiment.agent.name
    choice = StageCResult.read(folder / StageCResult.FILE).choice["candidate"]
    candidate = Candidates.read(folder / "stage_c" / Candidates.FILE).candidates[choice]
    front = StageBResult.read(folder / StageBResult.FILE)
    trial = next(t for t in front.trials if t.number == candidate.trial)
    # The scores depend on the device that trained the trial, which need not be this one.
    device = Run.read(folder / "runs" / f"{trial.seeds[0].key}.json").provenance.device
    return TrialProvenance(
        provenance=experiment.provenance(started).model_copy(update={"device": device}),
        agent=experiment.agent.name,
        settings=experiment.settings.model_dump(mode="json"),
        backbones=experiment.fingerprints(),
        trial=trial.number,
        params=trial.params,
        seeds=trial.seeds,
        files={name: hash_file(folder / name) for name in _RESULTS if (folder / name).exists()},
        outer_fold=outer_fold(experiment.results),
    )


def settings_of(provenance: TrialProvenance) -> Settings:
    """Return the settings of the search that a provenance document describes."""
    return Settings.model_validate_json(json.dumps(provenance.settings))
