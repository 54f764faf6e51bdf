"""Compare a bag of words with an encoder on the generated corpus, which should be hard only for the former.

By default the corpus has as many posts as ReDSM5. TF-IDF with logistic regression and MiniLM at fixed
hyper-parameters are scored on a held-out third of the posts, at natural prevalence and on the annotated pairs alone.
The bag of words learns from all pairs, and MiniLM from a draw of the unannotated ones. For the criteria agent posts
are as long as those of ReDSM5, and for the evidence agent a fifth as long.
"""

import argparse
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from common import FIXED, benchmark_experiment, prepare_project

from lib.evaluation.baselines import cross_validate_baseline

PARAMS = FIXED | {
    "model.pooling": "mean",
    "head.layers": 1,
    "head.activation": "gelu",
    "optim.head_lr_factor": 5.0,
    "optim.weight_decay": 0.01,
    "optim.batch_size": 16,
    "schedule.warmup": 0.1,
    "null_policy.name": "threshold",
}
FOLDS = 3


def compare(agent: str, posts: int, *, words: int, length: int, epochs: int) -> None:
    """Train both models on a new corpus, and print their scores.

    Args:
        agent: The agent's name.
        posts: Number of posts.
        words: Average number of words of a post.
        length: Maximum length of an example in tokens.
        epochs: Epochs of MiniLM.
    """
    config = Path("config").resolve()
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        Path("config").symlink_to(config)
        prepare_project(None, generator={"posts": posts, "words": words}, stage_c={"folds": FOLDS})
        experiment = benchmark_experiment(agent)
        bag = cross_validate_baseline(experiment).folds[0].scores
        rate = experiment.settings.config.corpus.unannotated
        point = PARAMS | {"data.max_length": length, "data.unannotated": rate}
        run = experiment.run(point, experiment.splits.fold(0, FOLDS), epochs=epochs)
        assert run.held_out is not None
    for name, scores in (("bag of words", bag), ("MiniLM", run.held_out)):
        print(f"{agent}, held-out third, {name}: {_line(scores)}", flush=True)
    print(f"  {run.performance['seconds']:.0f} s, {run.performance['tokens_per_second']:,.0f} tokens/s")


def _line(scores: dict[str, Any]) -> str:
    assert scores["population"] == "natural"
    line = f"F1-macro {scores['f1_macro']:.3f}"
    if "has_answer" in scores:
        line += f", HasAns {scores['has_answer']:.3f}, NoAns {scores['no_answer']:.3f}"
    line += f", Brier skill {scores['brier_skill']:.3f} at natural prevalence"
    annotated = scores["annotated"]
    return f"{line}; F1 of yes and no {annotated['f1_yes_no']:.3f}, ECE {annotated['ece']:.3f} on annotated pairs"


def run() -> None:
    """Compare the models for both agents."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--posts", type=int, default=1484, help="number of posts of each corpus")
    posts = parser.parse_args().posts
    compare("criteria", posts, words=295, length=64, epochs=4)
    compare("evidence", posts, words=60, length=192, epochs=5)


if __name__ == "__main__":
    run()
