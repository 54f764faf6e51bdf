"""Examples of one text, for tests of tasks and metrics."""

from collections.abc import Sequence

import numpy as np

from lib.corpus.sentences import Characters
from lib.tasks.examples import Examples


def make_examples(
    text: str, answers: Sequence[list[Characters]], criterion: Sequence[str], posts: Sequence[str] | None = None
) -> Examples:
    """Make annotated examples with this text, which are positive where there is an answer."""
    n = len(answers)
    post_id = [f"p{i}" for i in range(n)] if posts is None else list(posts)
    return Examples(
        criterion_text=["?"] * n,
        text=[text] * n,
        label=np.array([int(bool(spans)) for spans in answers]),
        gold_spans=list(answers),
        criterion=list(criterion),
        post_id=post_id,
        group=np.unique(post_id, return_inverse=True)[1],
        annotated=np.ones(n, dtype=bool),
        natural=np.ones(n, dtype=bool),
        counted=np.ones(n, dtype=bool),
        ids=[f"{i} {name}" for i, name in enumerate(criterion)],
    )
