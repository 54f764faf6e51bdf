"""Format the numbers of an evaluation as text."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import stdev
from typing import Any


def format_interval(score: Mapping[str, float]) -> str:
    """Return a score on the test set with its 95 % interval as text, e.g. '0.712 [0.690, 0.733]'."""
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return a table as Markdown.

    Args:
        columns: The names of the columns.
        rows: The rows, each with a cell for every column.

    Returns:
        The lines of the table.
    """
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def format_score(score: Mapping[str, float] | None) -> str:
    """Return a score with its interval as `format_interval` does, or '–' if the score is undefined (None)."""
    return "–" if score is None else format_interval(score)


def format_times(count: int) -> str:
    """Return how often something happened as text, e.g. 'once' or '3 times'."""
    return "once" if count == 1 else f"{count} times"


def format_count(count: int, noun: str) -> str:
    """Return a number of things as text, e.g. '1 epoch' or '3 epochs'.

    Args:
        count: The number.
        noun: What is counted, in the singular; its plural ends in s.

    Returns:
        The number and the noun.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def format_trainings(scores: Sequence[float | None], name: str) -> str:
    """Return a sentence about the trainings that a model averages; '' if there are none.

    Args:
        scores: A score of each training; None where it is undefined.
        name: What the score is called, with its population.

    Returns:
        The scores and their standard deviation, which is the variation between seeds.
    """
    if not scores:
        return ""
    known = [score for score in scores if score is not None]
    spread = f" (standard deviation between seeds {stdev(known):.3f})" if len(known) > 1 else ""
    values = ", ".join("–" if score is None else f"{score:.3f}" for score in scores)
    return f"Its probabilities are the means of {len(scores)} trainings, which alone have {name} {values}{spread}."


def format_bias_corrected(score: Mapping[str, float] | None, name: str) -> str:
    """Return a sentence about the score of the best candidate, corrected for its choice; '' if there is none.

    Args:
        score: {plain, value, low, high}, as in stage_c.json.
        name: What the score is called, with its population.
    """
    if score is None:
        return ""
    return (
        f"Best of the candidates, by the held-out predictions of all folds together: {name} {score['plain']:.3f};"
        f" corrected for this choice (BBC-CV) {format_interval(score)}. The choice of the candidates by Stages A and"
        " B on the same posts is not corrected for."
    )


def format_groups(*, with_authors: bool) -> str:
    """Return a sentence that says which posts form a group; splits, intervals and tests keep groups whole."""
    if with_authors:
        return "The posts of one author, and near-duplicates, form a group."
    return (
        "Authors are not known (corpus.group), so each post counts as a different author's. Near-duplicates form a"
        " group."
    )


def format_p(p: float) -> str:
    """Return a p value as text, e.g. '0.012', or '< 0.001'."""
    return f"{p:.3f}" if p >= 0.001 else "< 0.001"


def format_without_positive(names: Sequence[str]) -> str:
    """Return a sentence that counts and names the criteria without a positive; '' if there are none."""
    if not names:
        return ""
    return f"Left out of averages, without a positive in this part: {len(names)} ({', '.join(names)})."


def format_excluded(names: Sequence[str]) -> str:
    """Return a sentence that names the criteria that are left out of the scores; '' if there are none."""
    return f"Left out of all scores (corpus.excluded_criteria): {', '.join(names)}." if names else ""


def format_unknown_sets(posts: Mapping[str, float]) -> str:
    """Return a sentence about posts with an unknown criterion in the scores of sets; '' if there is none."""
    if posts["left_out"]:
        return f" Posts left out of the sets, because one of their criteria is unknown: {posts['left_out']}."
    return " Every post has an unknown criterion, which counts as not met in the sets." * bool(posts["incomplete"])


def format_picks(picks: Sequence[int]) -> str:
    """Return the members of an ensemble with their weights, such as 'candidates 3 (2/3), 0 (1/3)'."""
    weights = Counter(picks)
    return "candidates " + ", ".join(f"{number} ({count}/{len(picks)})" for number, count in weights.items())


def format_delivered(chosen: Mapping[str, Any]) -> str:
    """Return what the delivered model is, from `TestEvaluation.chosen`."""
    if chosen["delivered"] == "ensemble":
        return f"ensemble of {format_picks(chosen['ensemble'])}"
    return f"{chosen['backbone']} (candidate {chosen['candidate']})"
