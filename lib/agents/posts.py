"""The base of agents that read whole posts in windows, with (criterion, post) pairs as examples."""

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from lib.agents.agent import Agent
from lib.files.hashing import derive_seed
from lib.tasks.examples import Characters, Examples

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import Part


class PostAgent(Agent):
    """Reads (criterion text, post) pairs."""

    reads_posts = True

    def examples(self, part: "Part", *, unannotated: float, seed: int) -> Examples:
        """Return one example per annotated (post, criterion) pair, and some unannotated pairs without evidence.

        All sentences of status 1 are answers. A pair is left out if one of its sentences of status 1 was not found
        in the post, since the place of that evidence is unknown.

        Args:
            part: The development set or the test set.
            unannotated: Number of unannotated pairs to draw, as a share of the number of annotated pairs.
            seed: Seed of that draw.

        Returns:
            The examples, by post and then by criterion in the order of the corpus.
        """
        answers: dict[tuple[str, str], set[Characters]] = defaultdict(set)
        lost: set[tuple[str, str]] = set()
        columns = ("post_id", "criterion", "status", "start", "end")
        for post_id, criterion, status, start, end in zip(*(part.annotations[c] for c in columns), strict=True):
            pair = answers[post_id, criterion]
            if status == 1 and start >= 0:
                pair.add((int(start), int(end)))
            elif status == 1:
                lost.add((post_id, criterion))
        drawn = _unannotated(part, set(answers), round(unannotated * len(answers)), seed)
        texts = part.texts
        order = [(post, criterion) for post in texts for criterion in part.criteria]
        known = (set(answers) - lost) | drawn
        pairs = [pair for pair in order if pair in known]
        return Examples(
            first=[part.criteria[criterion] for _, criterion in pairs],
            second=[texts[post] for post, _ in pairs],
            label=np.array([bool(answers.get(pair)) for pair in pairs], dtype=np.int64),
            answers=[sorted(answers.get(pair, ())) for pair in pairs],
            criterion=[criterion for _, criterion in pairs],
            post_id=[post for post, _ in pairs],
            ids=[f"{post} {criterion}" for post, criterion in pairs],
        )


def _unannotated(part: "Part", annotated: set[tuple[str, str]], n: int, seed: int) -> set[tuple[str, str]]:
    """Draw n unannotated pairs, or all if there are fewer, of criteria that are annotated in some post."""
    criteria = [name for name in part.criteria if any(name == criterion for _, criterion in annotated)]
    others = [(post, name) for post in part.texts for name in criteria if (post, name) not in annotated]
    rng = np.random.default_rng(derive_seed(seed, "unannotated pairs"))
    return {others[i] for i in rng.permutation(len(others))[:n]}
