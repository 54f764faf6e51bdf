"""The criteria agent, which decides whether a sentence meets a criterion."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import nn

from lib.agents.agent import Agent
from lib.modeling.models import PairModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Characters, Examples
from lib.tasks.label import LabelTask

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import Part


class CriteriaAgent(Agent):
    """Labels (criterion text, sentence) pairs with one encoder, a pooling and a label head."""

    name = "criteria"
    tasks = (LabelTask(),)
    reads_posts = False

    def examples(self, part: "Part") -> Examples:
        """Return an example for each annotation, and then one for each other (sentence, criterion) of the posts.

        The sentences of a post are its annotated sentences, kept whole, and those of the text between them.

        Args:
            part: The development set or the test set. If its unannotated pairs are unknown, they are left out.

        Returns:
            The examples.
        """
        rows = part.annotations
        posts, criteria, texts = rows["post_id"].tolist(), rows["criterion"].tolist(), rows["sentence"].tolist()
        others = list(_other_pairs(part)) if part.natural else []
        post_ids = [*posts, *(pair.post_id for pair in others)]
        asked = [*criteria, *(pair.criterion for pair in others)]
        return Examples(
            first=[part.criteria[criterion] for criterion in asked],
            second=[*texts, *(pair.text for pair in others)],
            label=np.append(rows["status"].to_numpy(dtype=np.int64), np.zeros(len(others), dtype=np.int64)),
            answers=[[] for _ in asked],
            criterion=asked,
            post_id=post_ids,
            group=np.array([part.groups[post_id] for post_id in post_ids], dtype=np.int64),
            annotated=np.arange(len(asked)) < len(rows),
            counted=~np.isin(asked, part.excluded),
            ids=[*(f"row {row}" for row in rows["row"]), *(pair.id for pair in others)],
        )

    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of the only backbone."""
        return (hyper.backbone,)

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a model with a label head.

        Args:
            encoders: One encoder.
            cls_token_ids: The id of its cls token.
            hyper: Gives pooling and head.

        Returns:
            The model.
        """
        return PairModel(encoders[0], hyper, cls_token_ids[0], label=True, span=False)


class _Pair(NamedTuple):
    """A pair of a criterion and a sentence that is not annotated with it."""

    id: str
    post_id: str
    text: str
    criterion: str


def _other_pairs(part: "Part") -> Iterator[_Pair]:
    """Yield the (sentence, criterion) pairs without an annotation, by post, sentence and criterion."""
    from lib.corpus.sentences import sentences_around

    known: dict[str, dict[Characters | str, set[str]]] = defaultdict(lambda: defaultdict(set))
    columns = (part.annotations[name] for name in ("post_id", "sentence", "criterion", "start", "end"))
    for post_id, sentence, criterion, start, end in zip(*columns, strict=True):
        # A sentence that was not found in its post is named by its text.
        known[post_id][(int(start), int(end)) if start >= 0 else sentence].add(criterion)
    for post_id, text in part.texts.items():
        annotated = known[post_id]
        whole = [key for key in annotated if not isinstance(key, str)]
        found: list[tuple[Characters | str, str, str]] = [
            ((start, end), f"{start}-{end}", text[start:end]) for start, end in sentences_around(text, whole)
        ]
        found += [(key, f"not found {i}", key) for i, key in enumerate(k for k in annotated if isinstance(k, str))]
        for key, place, sentence in found:
            for criterion in part.criteria:
                if criterion not in annotated.get(key, ()):
                    yield _Pair(f"{post_id} {place} {criterion}", post_id, sentence, criterion)


AGENT = CriteriaAgent()
