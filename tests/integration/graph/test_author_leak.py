"""A corpus in which only the author tells the label. Splits by author gain nothing from an author's pet phrase."""

import itertools
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import average_precision_score
from support.tiny import TINY

from lib.cli.main import main
from lib.corpus.store import load_development
from lib.evaluation.baselines import fit_and_predict_fold
from lib.experiment.experiment import Experiment
from lib.settings.load import read_settings

AUTHORS, POSTS, FOLDS = 60, 4, 3
WORDS = ["bus", "rain", "soup", "match", "station", "garden", "ticket", "window", "bridge", "lamp", "carpet"]


def write_corpus(folder: Path) -> None:
    """Write the files that ReDSM5 publishes, by their names. Half of the authors have the symptom in every post."""
    rng = np.random.default_rng(0)
    posts, rows = [], []
    for author in range(AUTHORS):
        phrase = f"quoth{author} forsooth{author}"
        for post in range(POSTS):
            post_id, text = f"s_{author}_{post}", f"The {' '.join(rng.choice(WORDS, 8))} said {phrase}."
            posts.append([post_id, text])
            rows.append([post_id, f"{post_id}_0", text, "SLEEP_ISSUES", author % 2, ""])
    folder.mkdir()
    pd.DataFrame(posts, columns=["post_id", "text"]).to_csv(folder / "redsm5_posts.csv", index=False)
    head = ["post_id", "sentence_id", "sentence_text", "DSM5_symptom", "status", "explanation"]
    pd.DataFrame(rows, columns=head).to_csv(folder / "redsm5_annotations.csv", index=False)


@pytest.mark.parametrize("grouped", [True, False])
def test_only_splits_by_author_show_no_gain_from_an_authors_phrase(project: Path, grouped: bool) -> None:
    write_corpus(project / "data")
    group = {"pattern": "^s_([^_]+)_"} if grouped else None
    corpus = TINY["corpus"] | {"dir": "data", "group": group}
    own = {"corpus": corpus, "stage_c": {**TINY["stage_c"], "folds": FOLDS}}
    (project / "config/own.yaml").write_text(yaml.safe_dump(TINY | own))
    assert main(["settings", "--config", "config/config.yaml", "--config", "config/own.yaml"]) == 0
    assert main(["corpus", "--input", "data"]) == 0
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    author = np.array([int(post_id.split("_")[1]) for post_id in experiment.examples.post_id])
    truths, odds, parts_of_splits = [], [], []
    for fold in range(FOLDS):
        split = experiment.splits.fold(fold, FOLDS)
        assert split.held_out is not None
        logits, held_out = fit_and_predict_fold(experiment, split)
        truths.append(experiment.examples.label[held_out.index])
        odds.append(logits["label"])
        parts_of_splits.append((split.train, held_out.index))
    for seed in range(2):
        split = experiment.splits.development(seed)
        parts_of_splits.append((split.train, split.validation.index))
    pairs = [pair for parts in parts_of_splits for pair in itertools.combinations(parts, 2)]
    shared = [len(set(author[a]) & set(author[b])) for a, b in pairs]
    precision = float(np.mean([average_precision_score(*each) for each in zip(truths, odds, strict=True)]))
    if grouped:
        assert not any(shared) and precision < 0.65, "half of the authors have the symptom"
        test = set(pd.read_parquet("results/corpus/posts.parquet")["post_id"]) - set(
            load_development(Path("results/corpus")).posts["post_id"]
        )
        known = {post_id.split("_")[1] for post_id in load_development(Path("results/corpus")).posts["post_id"]}
        assert test and not known & {post_id.split("_")[1] for post_id in test}
    else:
        assert all(shared) and precision > 0.9, "the phrase betrays the label"
