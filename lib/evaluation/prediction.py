"""Apply a saved model to posts."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd

from lib.corpus.sentences import sentences
from lib.errors import UserError
from lib.evaluation.saved_model import SavedModel
from lib.tasks.examples import TextPairs

COLUMNS = [
    "post_id",
    "criterion",
    "start",
    "end",
    "met",
    "probability",
    "text",
    "post_met",
    "post_probability",
    "population",
]


def predict_posts(model: SavedModel, posts: Sequence[tuple[str, str]], criteria: Sequence[str]) -> pd.DataFrame:
    """Return a model's predictions for posts, in the population that its rules were fitted for.

    Args:
        model: The model to apply.
        posts: (id, text) of each post.
        criteria: Names of the criteria to predict, all known to the model.

    Returns:
        A table with the columns `COLUMNS`. An agent that reads posts gives a row for each post and criterion, an
        agent that reads sentences a row for each sentence and criterion. `met` says whether the criterion is met or,
        for an agent that only finds spans, whether it found evidence. `probability` is the probability of that.
        `start`, `end` and `text` are the characters [start, end) of the evidence, or -1, -1 and '' if there is none.
        `post_met` and `post_probability` are the prediction about the whole post. `population` is the population
        for which all of them were fitted, 'natural' or 'annotated'.

    Raises:
        UserError: Two posts have the same id.
    """
    repeated = sorted(name for name, times in Counter(name for name, _ in posts).items() if times > 1)
    if repeated:
        raise UserError(f"post_id '{name}' is given more than once; give each post its own" for name in repeated)
    whole = {name: [(0, len(text))] for name, text in posts}
    parts = whole if model.agent.reads_posts else {name: sentences(text) for name, text in posts}
    keys = [(post, text, part, name) for post, text in posts for part in parts[post] for name in criteria]
    if not keys:
        return pd.DataFrame(columns=COLUMNS)
    texts = _text_pairs(model, keys)
    predictions = model.predict(texts)
    tasks = [task.name for task in model.agent.tasks]
    given: Any = predictions[tasks[0]]
    probability = given.yes_probability
    labels, pairs = model.aggregate_by_post(predictions, texts)
    of_post = dict(
        zip(
            zip(pairs.post_id, pairs.criterion, strict=True),
            zip(labels.yes.tolist(), labels.probability.tolist(), strict=True),
            strict=True,
        )
    )
    rows = []
    for i, (post, text, part, name) in enumerate(keys):
        start, end = part
        if "span" in tasks:
            found = predictions["span"]
            start, end = found.candidates[i][0][:2] if found.yes[i] else (-1, -1)
        evidence = text[max(start, 0) : max(end, 0)]
        rows.append((post, name, start, end, bool(given.yes[i]), probability[i], evidence, *of_post[post, name]))
    return pd.DataFrame(rows, columns=COLUMNS[:-1]).assign(population=model.manifest.population)


def _text_pairs(model: SavedModel, keys: Sequence[tuple[str, str, tuple[int, int], str]]) -> TextPairs:
    return TextPairs(
        criterion_text=[model.manifest.criteria[name] for *_, name in keys],
        text=[text[slice(*part)] for _, text, part, _ in keys],
        criterion=[name for *_, name in keys],
        post_id=[post for post, *_ in keys],
    )
