"""The base of agents that read whole posts in windows, with (criterion, post) pairs as examples."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from lib.agents.agent import Agent
from lib.corpus.sentences import Characters
from lib.tasks.examples import Examples

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import CorpusPart


class PostAgent(Agent):
    """Reads (criterion text, post) pairs."""

    reads_posts = True

    def examples(self, part: "CorpusPart") -> Examples:
        """Return an example for each (post, criterion), which is annotated if a row of the corpus is about it.

        All sentences of status 1 are answers. A pair is left out if one of its sentences of status 1 was not found
        in the post, since the place of that evidence is unknown, or if its only evidence has annotations that
        contradict each other.

        Args:
            part: The development set or the test set. If its unannotated pairs are unknown, they are left out.

        Returns:
            The examples, by post and then by criterion in the order of the corpus.
        """
        answers: dict[tuple[str, str], set[Characters]] = defaultdict(set)
        lost = set(part.undecided)
        columns = ("post_id", "criterion", "status", "start", "end")
        for post_id, criterion, status, start, end in zip(*(part.annotations[c] for c in columns), strict=True):
            pair = answers[post_id, criterion]
            if status == 1 and start >= 0:
                pair.add((int(start), int(end)))
            elif status == 1:
                lost.add((post_id, criterion))
        order = [(post, criterion) for post in part.texts for criterion in part.criteria]
        pairs = [pair for pair in order if pair not in lost and (part.unannotated_are_negative or pair in answers)]
        return Examples(
            criterion_text=[part.criteria[criterion] for _, criterion in pairs],
            text=[part.texts[post] for post, _ in pairs],
            label=np.array([bool(answers.get(pair)) for pair in pairs], dtype=np.int64),
            gold_spans=[sorted(answers.get(pair, ())) for pair in pairs],
            criterion=[criterion for _, criterion in pairs],
            post_id=[post for post, _ in pairs],
            group=np.array([part.groups[post] for post, _ in pairs], dtype=np.int64),
            annotated=np.array([pair in answers for pair in pairs], dtype=bool),
            natural=np.full(len(pairs), part.unannotated_are_negative),
            counted=~np.isin([criterion for _, criterion in pairs], part.excluded),
            ids=[f"{post} {criterion}" for post, criterion in pairs],
        )
