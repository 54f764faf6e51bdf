"""Read a corpus in ReDSM5's format and check all of it."""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lib.corpus.corpus_files import find_corpus_files
from lib.corpus.csv_rows import read_csv_rows
from lib.corpus.groups import group_posts
from lib.corpus.locate import locate_sentence, normalise_text
from lib.errors import UserError, did_you_mean, unknown_name
from lib.files.hashing import hash_value
from lib.files.json_files import read_json
from lib.settings.config import CorpusSettings, GroupSettings

_REMEDY = "set the name in corpus.columns"
SHIPPED_CRITERIA = Path("config/criteria.json")
ANNOTATION_COLUMNS = (
    "row",
    "post_id",
    "sentence_id",
    "sentence",
    "criterion",
    "status",
    "start",
    "end",
    "match",
    "score",
)


@dataclass(frozen=True)
class Corpus:
    """A checked corpus.

    Attributes:
        posts: Columns post_id, text and group (a number; posts of one group belong together, see `group_posts`).
        annotations: Columns row (in the CSV), post_id, sentence_id, sentence, criterion, status (0 or 1), start and
            end (characters of the post; -1 if the sentence was not found), match and score (see `locate`).
        criteria: Criterion id to text.
        oddities: Kind of oddity to the rows where it was found.
        unknown: The columns of `annotations`, with status -1. The (sentence, criterion) pairs about which as
            many rows have status 1 as status 0.
    """

    posts: pd.DataFrame
    annotations: pd.DataFrame
    criteria: dict[str, str]
    oddities: dict[str, list[str]] = field(default_factory=dict)
    unknown: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=ANNOTATION_COLUMNS))

    def hash(self) -> str:
        """Return the hash of everything that a model could learn from."""
        keep = ["post_id", "sentence_id", "sentence", "criterion", "status"]
        tables = [self.annotations, *([self.unknown] if len(self.unknown) else [])]
        return hash_value(
            [
                self.posts[["post_id", "text"]].to_numpy().tolist(),
                *(table[keep].to_numpy().tolist() for table in tables),
                self.criteria,
            ]
        )

    def restricted_to(self, post_ids: Collection[str]) -> "Corpus":
        """Return the corpus with only these posts, in their old order. Its oddities are those of the whole corpus."""
        posts, rows, unknown = (
            table[table["post_id"].isin(post_ids)].reset_index(drop=True)
            for table in (self.posts, self.annotations, self.unknown)
        )
        return Corpus(posts, rows, self.criteria, self.oddities, unknown)


def sample_posts(corpus: Corpus, share: float, seed: int) -> Corpus:
    """Draw a share of the posts with their annotations.

    Args:
        corpus: The whole corpus.
        share: Share of the posts to keep, in (0, 1]; at least one post is kept.
        seed: Seed of the draw.

    Returns:
        The smaller corpus, with the posts in their old order. Its oddities are those of the whole corpus.
    """
    if share == 1.0:
        return corpus
    drawn = np.random.default_rng(seed).permutation(len(corpus.posts))[: max(1, round(share * len(corpus.posts)))]
    return corpus.restricted_to(set(corpus.posts["post_id"].iloc[drawn]))


@dataclass
class _Issues:
    """The rows with problems, for which the corpus is refused, and with oddities, which are only counted."""

    tolerated: tuple[str, ...]
    problems: list[str] = field(default_factory=list)
    oddities: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def problem(self, kind: str, line: str) -> None:
        """Record a row that must not be used, as a problem or, if its kind is tolerated, as a dropped row."""
        if kind in self.tolerated:
            self.oddities[f"dropped: {kind.replace('_', ' ')}"].append(line)
        else:
            self.problems.append(line)

    def contradiction(self, line: str, *, tied: bool) -> None:
        """Record a row that contradicts an earlier one, as a problem or, if tolerated, as an oddity.

        Args:
            line: Names both rows.
            tied: Whether as many of the repeated rows are positive as negative.
        """
        if "contradiction" not in self.tolerated:
            self.problems.append(f"{line}; 'contradiction' in corpus.tolerate lets the majority count")
        elif tied:
            self.odd("contradicting row (without a majority, neither positive nor negative)", line)
        else:
            self.odd("contradicting row (the majority of the repeated rows counts)", line)

    def odd(self, kind: str, line: str) -> None:
        """Record a row that is odd but can be used."""
        self.oddities[kind].append(line)


def criteria_path(settings: CorpusSettings) -> Path:
    """Return the configured criteria file, or else that of the corpus folder, or else config/criteria.json."""
    if settings.criteria is not None:
        return Path(settings.criteria)
    own = Path(settings.dir or ".") / "criteria.json"
    return own if settings.dir is not None and own.exists() else SHIPPED_CRITERIA


def read_corpus(settings: CorpusSettings, folder: Path) -> Corpus:
    """Read and check a corpus.

    Args:
        settings: Column names, criteria file and tolerated problems; `dir` is ignored.
        folder: Folder with the files, see `find_corpus_files`.

    Returns:
        The checked corpus, with the span of each sentence and the group of each post.

    Raises:
        UserError: A file is missing or has problems; at most 50 lines, each naming file and row. Or an excluded
            criterion does not exist.
    """
    criteria = read_criteria(criteria_path(settings.model_copy(update={"dir": str(folder)})))
    _check_excluded(settings.excluded_criteria, criteria)
    issues = _Issues(settings.tolerate)
    posts_path, annotations_path = find_corpus_files(settings, folder)
    posts, authors = _read_posts(posts_path, settings, issues)
    rows = _read_annotations(annotations_path, settings, posts, criteria, issues)
    _locate(rows, posts, settings.least_match)
    annotations, unknown = _resolve(annotations_path, rows, posts, issues)
    if issues.problems:
        raise UserError(_first(issues.problems, 50))
    if not len(annotations):
        raise UserError(f"{annotations_path}: holds no annotation")
    groups, alike = group_posts(posts, authors, settings.near_duplicates)
    for post_id in groups:
        if post_id in alike:
            issues.odd("near-duplicate of another post (kept in the same part)", f"{posts_path}: post '{post_id}'")
    table = pd.DataFrame({"post_id": list(posts), "text": list(posts.values()), "group": list(groups.values())})
    return Corpus(table, annotations, criteria, dict(issues.oddities), unknown)


def read_criteria(path: Path) -> dict[str, str]:
    """Read a criteria file, a JSON list of {"id": …, "text": …}.

    Returns:
        Criterion id to text, in the order of the file.

    Raises:
        UserError: The file or one of its entries is wrong; the lines name the entries.
    """
    entries = read_json(path)
    if not isinstance(entries, list) or not entries:
        raise UserError(f'{path}: expected a list of {{"id": …, "text": …}}')
    criteria: dict[str, str] = {}
    problems = []
    for number, entry in enumerate(entries, start=1):
        values = (entry.get("id"), entry.get("text")) if isinstance(entry, dict) else (None, None)
        if not all(isinstance(value, str) and value.strip() for value in values):
            problems.append(f"{path}, entry {number}: expected non-empty texts 'id' and 'text'")
        elif values[0] in criteria:
            problems.append(f"{path}, entry {number}: criterion '{values[0]}' is listed twice")
        else:
            criteria[str(values[0])] = str(values[1])
    if problems:
        raise UserError(problems)
    return criteria


def _check_excluded(excluded: Sequence[str], criteria: Mapping[str, str]) -> None:
    # The production overlay excludes a criterion of the shipped file, which a corpus with its own file may lack.
    shipped = read_criteria(SHIPPED_CRITERIA) if SHIPPED_CRITERIA.exists() else {}
    known = [*criteria, *(name for name in shipped if name not in criteria)]
    unknown = [name for name in excluded if name not in known]
    if unknown:
        raise UserError(f"corpus.excluded_criteria: {unknown_name('criterion', name, known)}" for name in unknown)
    if set(criteria) <= set(excluded):
        raise UserError("corpus.excluded_criteria: no criterion is left to score; exclude fewer of them")


def _first(lines: list[str], limit: int) -> list[str]:
    more = [f"… and {len(lines) - limit} more problems"] if len(lines) > limit else []
    return lines[:limit] + more


def _read_posts(path: Path, settings: CorpusSettings, issues: _Issues) -> tuple[dict[str, str], dict[str, str]]:
    """Return the text of each post, and its author if the settings say where to find it."""
    names = settings.columns
    author_column = settings.group.column if settings.group is not None else None
    posts: dict[str, str] = {}
    authors: dict[str, str] = {}
    without_author: list[str] = []
    columns = [names.post_id, names.text, *filter(None, [author_column])]
    remedy = _REMEDY if author_column is None else f"{_REMEDY}, that of the author in corpus.group.column"
    for row, record in read_csv_rows(path, columns, remedy):
        post_id, text = record[names.post_id], record[names.text]
        if not post_id.strip():
            issues.problems.append(f"{path}, row {row}: {names.post_id} is empty")
        elif post_id in posts:
            issues.problems.append(f"{path}, row {row}: post_id '{post_id}' is already in an earlier row")
        elif not text.strip():
            issues.problem("empty_text", f"{path}, row {row}: the text of post '{post_id}' is empty")
        else:
            posts[post_id] = text
            author = record[author_column].strip() if author_column else _author_in_id(post_id, settings.group)
            if author:
                authors[post_id] = author
            elif settings.group is not None:
                where = (
                    f"{author_column} is empty" if author_column else "post_id does not match corpus.group.pattern"
                )
                without_author.append(f"{path}, row {row}: {where} (post '{post_id}')")
    if posts and not authors and settings.group is not None and settings.group.pattern is not None:
        example = next(iter(posts))
        without_author = [
            f"{path}: no post_id matches corpus.group.pattern '{settings.group.pattern}' (the first is '{example}');"
            " set corpus.group to null if ids do not name authors"
        ]
    issues.problems += without_author
    return posts, authors


def _author_in_id(post_id: str, group: GroupSettings | None) -> str | None:
    if group is None or group.pattern is None:
        return None
    found = re.search(group.pattern, post_id)
    return found[1] if found else None


def _read_annotations(
    path: Path, settings: CorpusSettings, posts: dict[str, str], criteria: dict[str, str], issues: _Issues
) -> list[dict[str, Any]]:
    names = settings.columns
    columns = [names.post_id, names.sentence_id, names.sentence_text, names.criterion, names.status]
    rows = []
    for row, record in read_csv_rows(path, columns, _REMEDY):
        post_id, sentence_id, sentence, criterion, status = (record[column] for column in columns)
        place = f"{path}, row {row}"
        if post_id not in posts:
            issues.problem("unknown_post", f"{place}: post_id '{post_id}' is not in the posts")
        elif criterion not in criteria:
            near = did_you_mean(criterion, criteria)
            issues.problem("unknown_criterion", f"{place}: criterion '{criterion}' is not among the criteria{near}")
        elif status not in {"0", "1"}:
            issues.problems.append(f"{place}: {names.status} is '{status}'; expected 0 or 1")
        elif not sentence.strip():
            issues.problem("empty_text", f"{place}: {names.sentence_text} is empty")
        else:
            rows.append(
                {
                    "row": row,
                    "post_id": post_id,
                    "sentence_id": sentence_id,
                    "sentence": sentence,
                    "criterion": criterion,
                    "status": int(status),
                }
            )
    return rows


def _locate(rows: list[dict[str, Any]], posts: dict[str, str], least_match: float) -> None:
    """Give the rows the start, end, match and score of each sentence.

    If sentences of a post have the same text, the one with the k-th sentence_id gets the k-th copy in the post.
    """
    copies: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in sorted(rows, key=lambda r: _natural(r["sentence_id"])):
        ids = copies[row["post_id"], row["sentence"]]
        if row["sentence_id"] not in ids:
            ids.append(row["sentence_id"])
    for row in rows:
        occurrence = copies[row["post_id"], row["sentence"]].index(row["sentence_id"])
        span = locate_sentence(row["sentence"], posts[row["post_id"]], occurrence, least_match)
        if span is None:
            row |= {"start": -1, "end": -1, "match": "none", "score": 0.0}
        else:
            row |= {"start": span.start, "end": span.end, "match": span.match, "score": span.score}


def _resolve(
    path: Path, rows: list[dict[str, Any]], posts: Mapping[str, str], issues: _Issues
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return one row for each (sentence, criterion) of a post: those with a status, and those without a majority.

    A corpus may repeat rows, and they may contradict each other.
    """
    repeated: dict[tuple[object, ...], list[dict[str, Any]]] = defaultdict(list)
    ids: dict[tuple[str, str], tuple[object, dict[str, Any]]] = {}
    for row in rows:
        sentence = _sentence_of(row, posts)
        named, first = ids.setdefault((row["post_id"], row["sentence_id"]), (sentence, row))
        if named != sentence:
            place = f"{path}, row {row['row']}: sentence '{row['sentence_id']}'"
            issues.odd("sentence_id with another text than before (kept)", f"{place}, see row {first['row']}")
        repeated[row["post_id"], sentence, row["criterion"]].append(row)
    kept = [_majority(path, group, issues) for group in repeated.values()]
    for row in kept:
        _count_match(path, row, issues)
    known, unknown = ([row for row in kept if (row["status"] < 0) == tied] for tied in (False, True))
    return pd.DataFrame(known, columns=ANNOTATION_COLUMNS), pd.DataFrame(unknown, columns=ANNOTATION_COLUMNS)


def _sentence_of(row: Mapping[str, Any], posts: Mapping[str, str]) -> object:
    """Return a key of a row's sentence, which is its place without punctuation at the ends, or else its text.

    Annotators may give a sentence several ids, or leave out its full stop.
    """
    if row["start"] < 0:
        return normalise_text(row["sentence"])[0]
    found = re.search(r"\w(?:.*\w)?", posts[row["post_id"]][row["start"] : row["end"]], re.DOTALL)
    if found is None:
        return row["start"], row["end"]
    return row["start"] + found.start(), row["start"] + found.end()


def _majority(path: Path, rows: list[dict[str, Any]], issues: _Issues) -> dict[str, Any]:
    """Return one row for rows that repeat each other, with the status of the majority, or -1 if there is none."""
    first, positive = rows[0], sum(row["status"] for row in rows)
    tied = 2 * positive == len(rows)
    for row in rows[1:]:
        place = f"{path}, row {row['row']}"
        if row["status"] == first["status"]:
            issues.odd("dropped: duplicate row", f"{place}: repeats row {first['row']}")
        else:
            issues.contradiction(
                f"{place}: status {row['status']} contradicts status {first['status']} in row {first['row']}",
                tied=tied,
            )
    return {**first, "status": -1 if tied else int(2 * positive > len(rows))}


def _count_match(path: Path, row: dict[str, Any], issues: _Issues) -> None:
    place = f"{path}, row {row['row']}: sentence '{row['sentence_id']}'"
    if row["match"] == "none":
        issues.odd("sentence not found in its post (kept without a span)", place)
    elif row["match"] == "normalised":
        issues.odd("sentence found only ignoring case, white space and Unicode form", place)
    elif row["match"] == "fuzzy":
        issues.odd("edited sentence found by fuzzy search", f"{place}, score {row['score']:.2f}")


def _natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key that puts 's_2' before 's_10'."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]
