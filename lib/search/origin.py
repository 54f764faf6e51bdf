"""provenance.json: all that is needed to make an agent's chosen trial again, and to see whether it is the same."""

import json
from typing import Any, ClassVar

from lib.files.documents import Document
from lib.files.hashing import hash_file
from lib.search.documents import Candidates, SeedResult, StageB, StageC
from lib.search.experiment import Experiment
from lib.settings.load import Settings

_RESULTS = (
    "stage_a_top50.json",
    "stage_b_pareto.json",
    "stage_c.json",
    "baseline.json",
    "test.json",
    "model/model.json",
)


class Origin(Document):
    """provenance.json. trial: the chosen configuration's in Stage B, with each seed's scores; files: their hashes."""

    KIND: ClassVar[str] = "provenance"

    agent: str
    settings: dict[str, Any]
    backbones: dict[str, str]
    trial: int
    params: dict[str, Any]
    seeds: list[SeedResult]
    files: dict[str, str]


def origin(experiment: Experiment, started: str) -> Origin:
    """Return the origin of an agent's results."""
    folder = experiment.results / experiment.agent.name
    choice = StageC.read(folder / "stage_c.json").choice["candidate"]
    candidate = Candidates.read(folder / "stage_c" / "candidates.json").candidates[choice]
    front = StageB.read(folder / "stage_b_pareto.json")
    trial = next(t for t in front.trials if t.number == candidate.trial)
    made = experiment.provenance(started)
    return Origin(
        provenance=made.model_copy(update={"device": str(experiment.device)}),
        agent=experiment.agent.name,
        settings=experiment.settings.model_dump(mode="json"),
        backbones={name: experiment.backbones.fingerprint(name) for name in experiment.settings.space.backbones},
        trial=trial.number,
        params=trial.params,
        seeds=trial.seeds,
        files={name: hash_file(folder / name) for name in _RESULTS if (folder / name).exists()},
    )


def settings_of(found: Origin) -> Settings:
    """Return the settings that a search had."""
    return Settings.model_validate_json(json.dumps(found.settings))
