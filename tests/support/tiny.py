"""The configuration with a tiny budget, and the commands of the graph."""

import json
from functools import cache

from lib.schemas.document import Provenance, now
from lib.settings.config import Config
from lib.settings.load import Settings, load_settings, merge, read_settings, read_yaml, save_settings

# Sizes and ranges that the embedded default chooses for its first run are given here too, so that it can change.
TINY = {
    "constraints": {
        "model.backbone": {"choices": ["tiny-bert"]},
        "joint.backbone": {"choices": ["tiny-bert"]},
        "data.max_length": {"choices": [64]},
        "model.pooling": {"choices": ["cls", "mean", "max", "attention", "pair"]},
        "optim.batch_size": {"choices": [32, 64]},
        "optim.lr": {"low": 4e-4, "high": 1e-3},
        "optim.layer_decay": {"low": 0.9, "high": 1.0},
        "optim.clip_norm": {"low": 0.3, "high": 5.0},
        "data.unannotated": {"low": 1.25, "high": 2.0},
    },
    "corpus": {"test_fraction": 0.15, "unannotated": 1.5},
    "generator": {"posts": 48, "words": 40},
    "training": {"device": "cpu", "precision": "fp32", "threads": 1, "epochs": 3},
    "stage_a": {"trials": 6, "seeds": 2, "startup_trials": 3, "min_epochs": 1, "reduction": 2},
    "stage_b": {"trials": 4, "seeds": 1, "population_size": 2, "warm_start": 2},
    "stage_c": {"candidates": 2, "folds": 2, "repeats": 1, "ensemble": 2},
    "final": {"seeds": 2},
    "baseline": {"epochs": 1, "seeds": 2},
}


def tiny_settings(**more: object) -> Settings:
    """Load the shipped configuration with a tiny budget. The working directory must hold config/."""
    return load_settings(merge(merge(read_yaml("config/config.yaml"), TINY), more))


def params(**more: object) -> dict[str, object]:
    """Return a value for every parameter: those given, else the first choice or lower bound in the tiny space."""
    return _lowest() | more


@cache
def _lowest() -> dict[str, object]:
    space = tiny_settings(constraints={"aug.enabled": {"choices": [False, True]}}).space.parameters
    return {name: getattr(p, "choices", [getattr(p, "low", None)])[0] for name, p in space.items()}


def change_settings(**more: object) -> None:
    """Change keys of the configuration in results/settings.json, in the working directory."""
    settings = read_settings("results/settings.json")
    config = merge(settings.config.model_dump(mode="json"), more)
    changed = settings.model_copy(update={"config": Config.model_validate_json(json.dumps(config))})
    save_settings(changed, "results/settings.json")


def commands() -> list[str]:
    """Return the commands of the graph for the criteria agent, in order."""
    return [*preparation_commands(), *agent_commands("criteria")]


def preparation_commands() -> list[str]:
    """Return the commands that all agents share, in order."""
    return [
        "settings --config config/config.yaml --config config/tiny.yaml",
        "generate-corpus --output results/generated",
        "corpus --input results/generated",
        "backbone tiny-bert",
    ]


def agent_commands(agent: str, candidates: int = 2) -> list[str]:
    """Return the commands of one agent, in order."""
    folds = [f"stage-c-fold {agent} --candidate {c} --fold {f}" for c in range(candidates) for f in range(2)]
    return [
        f"tfidf {agent}",
        worker_command("a", agent) + f" --log results/{agent}/logs/stage_a.log",
        f"stage-a {agent}",
        worker_command("b", agent),
        f"stage-b {agent}",
        f"stage-c-candidates {agent}",
        *folds,
        f"stage-c-baseline {agent}",
        f"stage-c {agent}",
        f"baseline {agent}",
        f"final {agent}",
        f"provenance {agent}",
    ]


def worker_command(stage: str, agent: str = "criteria") -> str:
    """Return the command that runs the trials of a stage."""
    return f"stage-{stage}-worker {agent} --output results/{agent}/stage_{stage}/worker-0.json"


def empty_provenance() -> Provenance:
    """Return a provenance for a document that a test writes itself."""
    return Provenance(
        config_hash="",
        corpus_hash="",
        code_version="",
        packages={},
        seed=0,
        device="cpu",
        started=now(),
        finished=now(),
    )
