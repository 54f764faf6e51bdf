"""Use a saved model on posts: a row for each (post, criterion) pair, or for each sentence."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from lib.corpus.sentences import sentences
from lib.evaluation.saved_model import SavedModel
from lib.tasks.examples import Examples

COLUMNS = ["post_id", "criterion", "start", "end", "met", "probability", "text"]


def predict_posts(model: SavedModel, posts: Sequence[tuple[str, str]], criteria: Sequence[str]) -> pd.DataFrame:
    """Return what a model says of (id, text) posts.

    Columns: post_id, criterion; start, end, text: the evidence in the post (no evidence: -1, -1, ''); met: whether
    the criterion is met, or evidence was found; probability: of that. An agent that reads sentences has a row for
    each sentence and criterion; one that reads posts a row for each post and criterion.
    """
    whole = {name: [(0, len(text))] for name, text in posts}
    parts = whole if model.agent.reads_posts else {name: sentences(text) for name, text in posts}
    keys = [(post, text, part, name) for post, text in posts for part in parts[post] for name in criteria]
    if not keys:
        return pd.DataFrame(columns=COLUMNS)
    answers = model.predict(_examples(model, keys))
    tasks = [task.name for task in model.agent.tasks]
    task = model.agent.tasks[0]
    given: Any = answers[task.name]
    probability = given.yes_probability
    rows = []
    for i, (post, text, part, name) in enumerate(keys):
        start, end = part
        if "span" in tasks:
            found = answers["span"]
            start, end = found.candidates[i][0][:2] if found.yes[i] else (-1, -1)
        rows.append(
            (
                post,
                name,
                start,
                end,
                bool(given.yes[i]),
                probability[i],
                text[max(start, 0) : max(end, 0)],
            )
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def _examples(model: SavedModel, keys: Sequence[tuple[str, str, tuple[int, int], str]]) -> Examples:
    return Examples(
        first=[model.manifest.criteria[name] for *_, name in keys],
        second=[text[slice(*part)] for _, text, part, _ in keys],
        label=np.zeros(len(keys), dtype=np.int64),
        answers=[[] for _ in keys],
        criterion=[name for *_, name in keys],
        post_id=[post for post, *_ in keys],
        ids=[f"{post} {part[0]} {name}" for post, _, part, name in keys],
    )
