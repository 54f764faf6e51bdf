"""The data report, which says what a corpus holds, how it was split, and what was dropped and why."""

import pandas as pd

from lib.corpus.reader import Corpus

_SHOWN = 20


def describe_corpus(corpus: Corpus, parts: pd.DataFrame, *, source: str, generated: bool, grouping: str) -> str:
    """Return the report on a corpus. It holds counts and ids, never texts.

    Args:
        corpus: The checked corpus.
        parts: post_id and part ('development' or 'test') of each post.
        source: Where the corpus comes from, for the first line.
        generated: Whether the corpus was generated, which the report then says.
        grouping: A sentence that says which posts form a group, from `format_groups`.

    Returns:
        The report as Markdown.
    """
    sections = [f"# Data report\n\nCorpus: {source}, hash `{corpus.hash()}`."]
    if generated:
        sections.append(
            "**This corpus is generated.** It exercises the pipeline; scores on it say nothing about patients."
        )
    sections.append(_groups(corpus, grouping))
    sections += [_sizes(corpus, parts), _criteria_section(corpus, parts), _lengths(corpus), _oddities(corpus)]
    return "\n\n".join(sections) + "\n"


def count_annotations(corpus: Corpus, parts: pd.DataFrame) -> pd.DataFrame:
    """Count annotations.

    Args:
        corpus: The checked corpus.
        parts: post_id and part ('development' or 'test') of each post.

    Returns:
        The counts by criterion (rows, in the order of `corpus.criteria`) and by part and status (columns).
    """
    joined = corpus.annotations.merge(parts, on="post_id")
    table = pd.crosstab(joined["criterion"], [joined["part"], joined["status"]])
    columns = pd.MultiIndex.from_product([["development", "test"], [0, 1]], names=["part", "status"])
    return table.reindex(index=list(corpus.criteria), columns=columns, fill_value=0)


def _groups(corpus: Corpus, grouping: str) -> str:
    n, groups = len(corpus.posts), corpus.posts["group"].nunique()
    return f"{grouping} The {n} posts form {groups} groups. No split separates the posts of a group."


def _sizes(corpus: Corpus, parts: pd.DataFrame) -> str:
    positive = set(corpus.annotations.query("status == 1")["post_id"])
    rows: list[list[object]] = []
    for part, group in parts.groupby("part"):
        ids = set(group["post_id"])
        annotations = corpus.annotations[corpus.annotations["post_id"].isin(ids)]
        rows.append([part, len(ids), len(ids - positive), len(annotations), int(annotations["status"].sum())])
    head = ["part", "posts", "posts without a positive", "annotations", "of them positive"]
    return "## Sizes\n\n" + _table(head, rows)


def _criteria_section(corpus: Corpus, parts: pd.DataFrame) -> str:
    table = count_annotations(corpus, parts)
    rows = [[name, *map(int, values)] for name, values in zip(table.index, table.to_numpy(), strict=True)]
    head = ["criterion", "development 0", "development 1", "test 0", "test 1"]
    without = [str(name) for name, *counts in rows if not any(counts)]
    section = "## Criteria\n\n" + _table(head, rows)
    if not without:
        return section
    return f"{section}\n\nCriteria without an annotation are not learned, scored or predicted: {', '.join(without)}."


def _lengths(corpus: Corpus) -> str:
    rows = []
    for name, texts in (("post", corpus.posts["text"]), ("sentence", corpus.annotations["sentence"])):
        words = pd.Series([len(text.split()) for text in texts])
        rows.append([name, f"{words.mean():.1f}", int(words.median()), int(words.max())])
    return "## Lengths in words\n\n" + _table(["text", "mean", "median", "longest"], rows)


def _oddities(corpus: Corpus) -> str:
    if not corpus.oddities:
        return "## Dropped or odd\n\nNothing."
    lines = ["## Dropped or odd", ""]
    for kind, places in sorted(corpus.oddities.items()):
        lines += [f"* {kind}: {len(places)}"] + [f"    * {place}" for place in places[:_SHOWN]]
        if len(places) > _SHOWN:
            lines.append(f"    * … and {len(places) - _SHOWN} more, all in corpus.json")
    return "\n".join(lines)


def _table(head: list[str], rows: list[list[object]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])
