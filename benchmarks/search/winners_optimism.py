"""Compare the cross-validated score of the best candidate, plain and bias-corrected, with the final test score.

Each seed runs the whole graph on its own split of a share of a corpus, of which half is the test set, so that its
score is exact enough to compare with. The search space is wide enough for the candidates to differ. The final model
is that of the chosen candidate, which is as good as the best one by the one-standard-error rule, trained once on all
development posts.
"""

import argparse
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
from common import run_graph

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
            found = StageCResult.read(f"results/{AGENT}/stage_c.json").bias_corrected
            assert found is not None
            tested = TestEvaluation.read(f"results/{AGENT}/test.json").models[0].f1_macro
            rows.append((found["plain"], found["value"], tested["value"]))
        intervals = [f"{each['value']:.3f} [{each['low']:.3f}, {each['high']:.3f}]" for each in (found, tested)]
        table.append(f"| {seed} | {found['plain']:.3f} | {' | '.join(intervals)} |")
    print("| seed | best candidate, plain | bias-corrected | test set |", "|---|---|---|---|", *table, sep="\n")
    lead = np.array(rows)[:, :2] - np.array(rows)[:, 2:]
    print(f"mean lead over the test score: plain {lead[:, 0].mean():+.3f}, bias-corrected {lead[:, 1].mean():+.3f}")


if __name__ == "__main__":
    main()
