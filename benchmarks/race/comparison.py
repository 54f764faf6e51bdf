"""Race this pipeline against other searches on the same two cores, with the same encoder, corpus and time.

The rivals are the Hugging Face Trainer's hyperparameter_search (Optuna, group_by_length, bf16 where native) and
AutoGluon's MultiModalPredictor. They train as a careful user would make them: on the annotated pairs and five
unannotated negatives for each, with posts kept together. They are scored at 0.5 and with a threshold that is fitted
on their validation posts, at natural prevalence or on annotated pairs as the pipeline's is, and the better of the two
counts.

All runs share the split into development and test posts. The corpus and the encoder are there before the time begins.
The pipeline's time includes its baselines. Finished runs are kept, so that the race can be run in parts. A run of the
pipeline that takes longer than its time is not ahead.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, run_graph
from numpy.typing import NDArray

from lib.agents import get_agent
from lib.corpus.store import CorpusPart, load_development, open_test_set
from lib.corpus.stratify import split_posts
from lib.files.atomic import write_json
from lib.metrics.formatting import format_interval
from lib.metrics.resampling import bootstrap, sum_by_group
from lib.schemas.document import code_version, now
from lib.schemas.evaluation import TestEvaluation, TestOpening
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.label import Labels

SYSTEMS = {"pipeline": "this pipeline", "trainer": "Trainer, hyperparameter_search", "autogluon": "AutoGluon"}
AGENT, BACKBONE, VALIDATION = "criteria", "minilm", 0.2
# The share of the time for Stage A: the rest is for the folds, the final model and the baselines.
SEARCH = 0.2
# The score of each level.
LEVELS = {"natural": "f1_macro", "annotated": "f1_yes_no"}
THRESHOLDS = np.linspace(0.02, 0.98, 49)


def configuration(seed: int, minutes: float, corpus: str | None) -> dict[str, Any]:
    """Return what the race changes in the embedded default."""
    return {
        "seed": seed,
        "agents": [AGENT],
        "constraints": {"model.backbone": {"choices": [BACKBONE]}, "joint.backbone": {"choices": [BACKBONE]}},
        "stage_a": {"hours": SEARCH * minutes / 60, "trials": 1000, "startup_trials": 5},
        # Stage B only takes Stage A's best trials over, whose trainings are there unless fewer were completed.
        "stage_b": {"trials": 2, "warm_start": 2},
        "baseline": {"epochs": 1},
        "final": {"seeds": 1},
        "tracking": {"uri": None},
        "corpus": {"dir": corpus},
    }


def write_pairs(folder: Path, seed: int) -> None:
    """Write train.csv, validation.csv and test.csv for a rival; the test set's labels are left out."""
    development = load_development(Path("results/corpus"))
    examples = get_agent(AGENT).examples(development).scored()
    part = split_posts(development.annotations, development.groups, [1 - VALIDATION, VALIDATION], seed)
    of = np.array([part[post_id] for post_id in examples.post_id])
    for name, chosen in (("train", of == 0), ("validation", of == 1)):
        _table(examples, np.flatnonzero(chosen)).to_csv(folder / f"{name}.csv", index=False)
    tested = _test_examples(folder)
    _table(tested, np.arange(len(tested))).drop(columns="label").to_csv(folder / "test.csv", index=False)


def _table(examples: Examples, index: NDArray[np.int64]) -> pd.DataFrame:
    columns = {
        "id": [examples.ids[i] for i in index],
        "criterion": [examples.criterion_text[i] for i in index],
        "text": [examples.text[i] for i in index],
        "label": examples.label[index],
        "annotated": examples.annotated[index].astype(int),
        "natural": examples.natural[index].astype(int),
    }
    return pd.DataFrame(columns)


def _test_examples(folder: Path) -> Examples:
    opening = TestOpening(when=now(), code_version=code_version(), config_hash="race", model=folder.name)
    part: CorpusPart = open_test_set(Path("results/corpus"), folder / "test_openings.jsonl", opening)[0]
    return get_agent(AGENT).examples(part).scored()


def score(examples: Examples, probability: NDArray[np.float64], yes: NDArray[np.bool_]) -> dict[str, Any]:
    """Return F1-macro at natural prevalence and F1 of yes and no on annotated pairs, with 95 % intervals."""
    agent, found = get_agent(AGENT), {}
    for level, metric in LEVELS.items():
        index = np.flatnonzero(getattr(examples, level))
        predictions = {"label": Labels(probability[index], yes[index])}
        statistics, score_of = agent.sufficient_statistics(predictions, examples, WeightedSample.uniform(index))
        intervals = bootstrap(sum_by_group(statistics, examples.group[index]), score_of, 0)
        interval = intervals[agent.score_names.index(metric)]
        found[level] = {"value": interval.value, "low": interval.low, "high": interval.high}
    return found


def best_threshold(validation: pd.DataFrame, level: str) -> float:
    """Return the threshold with the best score of a level on validation pairs."""
    own = validation[validation[level] == 1]

    def f1(yes: pd.Series, label: pd.Series) -> float:
        hits, total = int((yes & label).sum()), int(yes.sum()) + int(label.sum())
        return 2 * hits / total if total else 0.0

    def value(threshold: float) -> float:
        yes, label = own["probability"] >= threshold, own["label"] == 1
        if level == "annotated":
            return (f1(yes, label) + f1(~yes, ~label)) / 2
        each = [(yes[rows], label[rows]) for rows in own.groupby("criterion").groups.values()]
        return float(np.mean([f1(*part) for part in each if part[1].any()]))

    return float(max(THRESHOLDS, key=value))


def run_rival(system: str, folder: Path, seed: int, minutes: float, python: str) -> dict[str, Any]:
    """Run a rival in a process of its own, and score its predictions."""
    write_pairs(folder, seed)
    program = Path(__file__).with_name(f"{system}_rival.py")
    encoder = Path("results/backbones").resolve() / BACKBONE
    words = [python, str(program), str(folder), str(encoder), "--minutes", str(minutes), "--seed", str(seed)]
    # Not the Trainer's packages in AutoGluon's environment, which has its own.
    paths = [str(ROOT / "benchmarks"), *([] if system == "autogluon" else sys.path)]
    subprocess.run(words, env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)}, check=True)
    validation, tested = (pd.read_csv(folder / f"{name}_predictions.csv") for name in ("validation", "test"))
    examples = _test_examples(folder)
    probability = tested.set_index("id")["probability"].loc[list(examples.ids)].to_numpy()
    known = pd.read_csv(folder / "validation.csv").merge(validation, on="id")
    fitted = {level: best_threshold(known, level) for level in LEVELS}
    found = {
        level: [score(examples, probability, probability >= limit)[level] for limit in (0.5, fitted[level])]
        for level in LEVELS
    }
    best = {level: max(each, key=lambda interval: interval["value"]) for level, each in found.items()}
    return {"scores": best, "at 0.5 and with the threshold": found, "thresholds": fitted}


def run_one(system: str, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Run one system in the folder of its seed, unless its result is there."""
    folder = Path(system).resolve()
    result = folder / "result.json"
    if result.exists():
        found: dict[str, Any] = json.loads(result.read_text())
        return found
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    if system == "pipeline":
        # What an interrupted run has done would not be timed.
        shutil.rmtree(f"results/{AGENT}", ignore_errors=True)
        run_graph(configuration(seed, options.minutes, options.corpus), f"results/{AGENT}/test.json")
        taken = time.monotonic() - began
        model = TestEvaluation.read(f"results/{AGENT}/test.json").models[0]
        scores = {"natural": model.f1_macro, "annotated": model.intervals["annotated"]["f1_yes_no"]}
        found = {"scores": scores}
    else:
        python = options.autogluon if system == "autogluon" else sys.executable
        found = run_rival(system, folder, seed, options.minutes, python)
        taken = time.monotonic() - began
    found |= {"system": system, "seed": seed, "minutes": round(taken / 60, 1)}
    write_json(result, found)
    return found


def print_table(results: Sequence[dict[str, Any]], minutes: float) -> None:
    """Print the results, and whether the pipeline leads in every seed within its time in minutes."""
    print("| system | seed | minutes | F1-macro, natural prevalence | F1 of yes and no, annotated pairs |")
    print("|---|---|---|---|---|")
    for each in results:
        scores = " | ".join(format_interval(each["scores"][level]) for level in LEVELS)
        print(f"| {SYSTEMS[each['system']]} | {each['seed']} | {each['minutes']} | {scores} |")
    for level in LEVELS:
        own = {
            each["seed"]: each["scores"][level]["value"] if each["minutes"] <= minutes else -1.0
            for each in results
            if each["system"] == "pipeline"
        }
        others = [each for each in results if each["system"] != "pipeline" and each["seed"] in own]
        if own and others:
            ahead = all(own[each["seed"]] > each["scores"][level]["value"] for each in others)
            print(f"{level}: the pipeline is {'ahead in every seed' if ahead else 'not ahead in every seed'}")


def main() -> None:
    """Run what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", help="folder of a corpus (default: generate one)")
    parser.add_argument("--folder", type=Path, default=Path(".bench/race"), help="folder that keeps finished runs")
    parser.add_argument("--minutes", type=float, default=20.0, help="time of each run")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--systems", nargs="+", choices=list(SYSTEMS), default=list(SYSTEMS))
    parser.add_argument("--autogluon", help="Python of an environment with autogluon.multimodal; null leaves it out")
    options = parser.parse_args()
    options.corpus = None if options.corpus is None else str(Path(options.corpus).resolve())
    systems = [name for name in options.systems if name != "autogluon" or options.autogluon]
    results = []
    for seed in options.seeds:
        folder = options.folder / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        with chdir(folder):
            run_graph(configuration(seed, options.minutes, options.corpus), "prepared")
            results += [run_one(system, seed, options) for system in systems]
    print_table(results, options.minutes)


if __name__ == "__main__":
    main()
