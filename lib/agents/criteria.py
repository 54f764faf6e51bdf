"""The criteria agent, which decides whether a sentence meets a criterion."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from torch import nn

from lib.agents.agent import Agent
from lib.corpus.sentences import Characters
from lib.modeling.models import PairModel
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples
from lib.tasks.label import LabelTask

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    import pandas as pd

    from lib.corpus.store import CorpusPart


class CriteriaAgent(Agent):
    """Labels (criterion text, sentence) pairs with one encoder, a pooling and a label head."""

    name = "criteria"
    tasks = (LabelTask(),)
    reads_posts = False

    def examples(self, part: "CorpusPart") -> Examples:
        """Return an example for each annotation, and then one for each (sentence, criterion) of the posts.

        The text of an annotation is kept as it is. The sentences of natural prevalence are cut without using the
        annotations, as `predict` cuts the posts that it meets.

        Args:
            part: The development set or the test set. If its unannotated pairs are unknown, only annotations are
                examples.

        Returns:
            The examples.
        """
        rows = part.annotations
        natural = list(_natural_pairs(part)) if part.unannotated_are_negative else []
        post_ids = [*rows["post_id"].tolist(), *(pair.post_id for pair in natural)]
        asked = [*rows["criterion"].tolist(), *(pair.criterion for pair in natural)]
        annotated = np.arange(len(asked)) < len(rows)
        return Examples(
            criterion_text=[part.criteria[criterion] for criterion in asked],
            text=[*rows["sentence"].tolist(), *(pair.text for pair in natural)],
            label=np.array([*rows["status"].tolist(), *(pair.label for pair in natural)], dtype=np.int64),
            gold_spans=[[] for _ in asked],
            criterion=asked,
            post_id=post_ids,
            group=np.array([part.groups[post_id] for post_id in post_ids], dtype=np.int64),
            annotated=annotated,
            natural=~annotated,
            counted=~np.isin(asked, part.excluded),
            ids=[*(f"row {row}" for row in rows["row"]), *(pair.id for pair in natural)],
        )

    def backbone_names(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of the only backbone."""
        return (hyper.backbone,)

    def model(
        self, encoders: Sequence[nn.Module], special: Sequence[SpecialTokens], hyper: Hyperparameters
    ) -> nn.Module:
        """Return a model with a label head.

        Args:
            encoders: One encoder.
            special: The ids of its cls and sep token.
            hyper: Gives pooling and head.

        Returns:
            The model.
        """
        return PairModel(encoders[0], hyper, special[0], label=True, span=False)


class _Pair(NamedTuple):
    """A pair of natural prevalence."""

    id: str
    post_id: str
    text: str
    criterion: str
    label: int


def _natural_pairs(part: "CorpusPart") -> Iterator[_Pair]:
    """Yield all (sentence, criterion) pairs, by post, sentence and criterion.

    A pair is positive if a positive annotation is about the sentence (see `sentences_about`). A positive annotation
    that was not found in its post is a sentence of its own, so that its post keeps its truth. A pair is left out if
    its annotations contradict each other, and so is its (post, criterion) if nothing else decides that.
    """
    from lib.corpus.sentences import sentences

    found, tied = _positive_spans(part.annotations[part.annotations["status"] == 1]), _positive_spans(part.unknown)
    lost: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    missing = part.annotations.query("status == 1 and start < 0")
    for post_id, sentence, criterion in zip(*(missing[c] for c in ("post_id", "sentence", "criterion")), strict=True):
        lost[post_id][sentence].add(criterion)
    for post_id, text in part.texts.items():
        cut = sentences(text)
        asked = zip(cut, _positive_criteria(cut, found[post_id]), _positive_criteria(cut, tied[post_id]), strict=True)
        units = [(f"{start}-{end}", text[start:end], met, unknown) for (start, end), met, unknown in asked]
        units += [(f"not found {i}", sentence, met, set()) for i, (sentence, met) in enumerate(lost[post_id].items())]
        for place, sentence, met, unknown in units:
            for criterion in part.criteria:
                if criterion in met or not (criterion in unknown or (post_id, criterion) in part.undecided):
                    yield _Pair(f"{post_id} {place} {criterion}", post_id, sentence, criterion, int(criterion in met))


def _positive_spans(rows: "pd.DataFrame") -> dict[str, list[tuple[Characters, str]]]:
    """Return the characters and the criterion of the rows that were found, by post."""
    spans: dict[str, list[tuple[Characters, str]]] = defaultdict(list)
    found = rows[rows["start"] >= 0]
    columns = (found[name] for name in ("post_id", "criterion", "start", "end"))
    for post_id, criterion, start, end in zip(*columns, strict=True):
        spans[post_id].append(((int(start), int(end)), criterion))
    return spans


def _positive_criteria(cut: Sequence[Characters], spans: Sequence[tuple[Characters, str]]) -> list[set[str]]:
    """Return the criteria of the spans that are about each sentence."""
    from lib.corpus.sentences import sentences_about

    criteria: list[set[str]] = [set() for _ in cut]
    for span, criterion in spans:
        for number in sentences_about(cut, span):
            criteria[number].add(criterion)
    return criteria


AGENT = CriteriaAgent()
