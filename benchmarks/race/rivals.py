"""The pairs that the rivals train on. It needs pandas only, since a rival may run in an environment of its own."""

import pandas as pd

_NEGATIVES = 5


def drawn(pairs: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the annotated pairs, and unannotated negatives, five for each of them."""
    known, others = pairs[pairs["annotated"] == 1], pairs[(pairs["annotated"] == 0) & (pairs["label"] == 0)]
    count = min(len(others), _NEGATIVES * len(known))
    return pd.concat([known, others.sample(count, random_state=seed)])
