"""Assign the posts of the development set to the parts of each split, and refuse a corpus with too few groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from lib.agents import POST_AGENTS
from lib.corpus.reader import Corpus
from lib.corpus.stratify import split_folds, split_posts
from lib.errors import UserError
from lib.files.hashing import derive_seed
from lib.settings.config import Config


@dataclass(frozen=True)
class PostSplits:
    """The splits of the posts of the development set, which are the same for all agents.

    Attributes:
        config: Gives the seed and the sizes of the parts.
        annotations: Columns post_id, criterion, status and start.
        groups: Post id to the number of its group.
    """

    config: Config
    annotations: pd.DataFrame
    groups: Mapping[str, int]

    def development_parts(self, number: int) -> dict[str, int]:
        """Return the part of each post in development split `number`: 0 for training, 1 for validation.

        Raises:
            UserError: A part has no positive row, because too few groups have any.
        """
        fraction, seed = self.config.training.validation_fraction, self.development_seed(number)
        parts = split_posts(self.annotations, self.groups, [1 - fraction, fraction], seed)
        self._check(parts, range(2), "the search", 2)
        return parts

    def fold_parts(self, number: int, k: int) -> dict[str, int]:
        """Return the part of each post in a fold: 0 for training, 1 for held out.

        Args:
            number: Number of the fold; 0…k-1 belong to repeat 0, k…2k-1 to repeat 1, and so on.
            k: Folds of a repeat, at least 2.

        Returns:
            The part by post id.

        Raises:
            UserError: A part has no positive row, because too few groups have any.
        """
        repeat, fold = divmod(number, k)
        of_post = split_folds(self.annotations, self.groups, k=k, repeat=repeat, seed=self.config.seed)
        parts = {post_id: int(of_post[post_id] == fold) for post_id in self.groups}
        self._check(parts, range(2), f"stage_c.folds = {k}", k)
        return parts

    def development_seed(self, number: int) -> int:
        """Return the seed of a development split."""
        return derive_seed(self.config.seed, "development split", number)

    def check(self) -> None:
        """Make every split that the configuration asks for.

        Raises:
            UserError: A part of a split has no positive row.
        """
        config = self.config
        for number in range(config.stage_c.folds * config.stage_c.repeats):
            self.fold_parts(number, config.stage_c.folds)
        for number in range(max(config.stage_a.seeds, config.stage_b.seeds, config.baseline.seeds)):
            self.development_parts(number)

    def _check(self, parts: Mapping[str, int], expected: Sequence[int], purpose: str, least: int) -> None:
        # No F1 is defined where nothing is positive.
        positive = self.posts_with_a_positive()
        if not {parts[post_id] for post_id in positive}.issuperset(expected):
            raise self.too_few("the development set", purpose, least)

    def posts_with_a_positive(self) -> set[str]:
        """Return the posts with a row of status 1 whose criterion counts for the scores.

        Agents that read posts leave out a (post, criterion) if one of its sentences was not found in the post.
        """
        rows = self.annotations[self.annotations["status"] == 1]
        rows = rows[~rows["criterion"].isin(self.config.corpus.excluded_criteria)]
        if not set(self.config.agents).isdisjoint(POST_AGENTS):
            rows = rows[rows.groupby(["post_id", "criterion"])["start"].transform("min") >= 0]
        return set(rows["post_id"])

    def too_few(self, where: str, purpose: str, least: int) -> UserError:
        """Return the error for posts of which too few groups have a positive row.

        Args:
            where: The posts, in words.
            purpose: What needs more groups.
            least: The number of groups with a positive row that it needs.

        Returns:
            The error, which gives both numbers.
        """
        found = len({self.groups[post_id] for post_id in self.posts_with_a_positive()})
        # The least number is enough only if the rows are spread well, so that more can be needed.
        return UserError(
            f"corpus: groups of posts in {where}: {len(set(self.groups.values()))}, with a positive row of a scored"
            f" criterion: {found}; {purpose} needs at least {max(least, found + 1)} with such rows;"
            " check corpus.group, or add such posts by other authors"
        )


def check_groups(corpus: Corpus, parts: pd.DataFrame, config: Config) -> None:
    """Check that enough groups of posts have positive rows for the test set and for every later split.

    Args:
        corpus: The checked corpus.
        parts: Columns post_id and part, as `split_off_test_set` returns them.
        config: The configuration.

    Raises:
        UserError: There are too few groups; the line says how many there are and how many are needed.
    """
    splits = {}
    for name in ("development", "test"):
        ids = set(parts["post_id"][parts["part"] == name])
        posts, rows = (table[table["post_id"].isin(ids)] for table in (corpus.posts, corpus.annotations))
        splits[name] = PostSplits(config, rows, dict(zip(posts["post_id"], posts["group"].tolist(), strict=True)))
    splits["development"].check()
    if not splits["test"].posts_with_a_positive():
        raise splits["test"].too_few("the test set", "the final evaluation", 1)
