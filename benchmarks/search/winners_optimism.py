"""Compare the cross-validated score of the winner, plain and bias-corrected, with its score on the test set.

Each seed runs the whole graph on its own split of a share of a corpus, of which half is the test set, so that its
score is exact enough to compare with. Scores are those of annotated pairs, since scoring all pairs takes ten times as
long and the correction is the same. The search space is wide enough for the candidates to differ.

Two things beside the choice of the best candidate move the differences. The folds train on two thirds of the
development posts and the final model on all of them, which makes it better. And the final model is that of the chosen
candidate, which may be another one than the best (one-standard-error rule); its own plain score is given too.
"""

import argparse
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
from common import run_graph
from scipy import stats

from lib.schemas.evaluation import StageCResult, TestEvaluation

AGENT = "criteria"


def configuration(seed: int, corpus: Path, share: float) -> dict[str, Any]:
    """Return what differs from the embedded default."""
    return {
        "seed": seed,
        "agents": [AGENT],
        "corpus": {
            "dir": str(corpus),
            "share": share,
            "test_fraction": 0.5,
            "test_seed": seed,
            "unannotated_means": "unknown",
        },
        "objective": {"population": "annotated"},
        "constraints": {"optim.lr": {"low": 5.0e-5, "high": 5.0e-4}, "head.dropout": {"low": 0.0, "high": 0.5}},
        "training": {"epochs": 3, "threads": 1},
        "stage_a": {"trials": 6, "startup_trials": 6},
        "stage_b": {"trials": 4, "warm_start": 4},
        "stage_c": {"candidates": 4, "folds": 3, "band": 0.5},
        "final": {"seeds": 1},
        "tracking": {"uri": None},
    }


def main() -> None:
    """Run what is missing, and print a row for each seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", type=Path, help="folder of a corpus")
    parser.add_argument("--share", type=float, default=0.5, help="share of its posts")
    parser.add_argument("--folder", type=Path, default=Path(".bench/optimism"), help="keeps finished runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    options = parser.parse_args()
    corpus, rows, table = options.corpus.resolve(), [], list[str]()
    for seed in options.seeds:
        folder = options.folder / str(seed)
        folder.mkdir(parents=True, exist_ok=True)
        with chdir(folder):
            run_graph(configuration(seed, corpus, options.share), f"results/{AGENT}/test.json")
            result = StageCResult.read(f"results/{AGENT}/stage_c.json")
            tested = TestEvaluation.read(f"results/{AGENT}/test.json").models[0].f1_macro
        found = result.bias_corrected
        assert found is not None
        [chosen] = [each for each in result.ranking if each["candidate"] == result.choice["candidate"]]
        rows.append((found["plain"], found["value"], chosen["scores"]["f1_macro"], tested["value"]))
        corrected, test = (f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]" for each in (found, tested))
        table.append(f"| {seed} | {rows[-1][0]:.3f} | {corrected} | {rows[-1][2]:.3f} | {test} |")
    print("| seed | best candidate, plain | bias-corrected | chosen candidate, plain | on the test set |")
    print("|---|---|---|---|---|", *table, sep="\n")
    lead = np.array(rows)[:, :3] - np.array(rows)[:, 3:]
    errors = stats.sem(lead, axis=0)
    for name, mean, error in zip(
        ("plain", "bias-corrected", "chosen, plain"), lead.mean(axis=0), errors, strict=True
    ):
        print(f"mean lead over the test score: {name} {mean:+.3f} (standard error {error:.3f})")


if __name__ == "__main__":
    main()
