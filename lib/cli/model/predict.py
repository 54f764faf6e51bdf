"""The command `predict`, which applies an agent's final model to one post or to a CSV file of posts."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lib.agents import check_agent
from lib.cli.command import Command, add_results
from lib.corpus.csv_rows import read_csv_rows
from lib.errors import UserError, unknown_name
from lib.files.atomic import replacing
from lib.settings.config import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--agent", required=True, help="agent whose model is used")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--post", help="text of a post; '-' reads it from standard input")
    source.add_argument("--csv", type=Path, help="CSV file with the columns post_id and text")
    parser.add_argument("--output", type=Path, help="CSV file for all predictions; required with --csv")
    parser.add_argument(
        "--criterion", action="append", default=[], help="predict this criterion only; may be repeated"
    )
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="device to predict on")
    add_results(parser)


def predict(options: Namespace) -> None:
    """Predict the criteria of one post or of a file of posts.

    Raises:
        UserError: There is no model, the input is unusable, or an agent or criterion is unknown.
    """
    from lib.devices.device import choose_device
    from lib.evaluation.prediction import predict_posts
    from lib.evaluation.saved_model import SavedModel
    from lib.metrics.formatting import format_count, format_excluded
    from lib.metrics.objective import in_population

    check_agent(options.agent)
    if options.csv is not None and options.output is None:
        raise UserError("--csv needs --output: the file to write the predictions to")
    model = SavedModel.load(
        options.results / options.agent / "model", choose_device(TrainingSettings(device=options.device))
    )
    known = model.manifest.criteria
    for name in options.criterion:
        if name not in known:
            raise UserError(unknown_name("criterion", name, list(known)))
    posts = _posts(options)
    if model.manifest.population == "annotated":
        print(
            "Unannotated pairs have no label in the corpus of this model (corpus.unannotated_means: unknown), so its"
            " predictions are fitted on annotated pairs. It predicts yes too often.",
            file=sys.stderr,
        )
    asked = options.criterion or list(known)
    excluded = excluded_criteria(options.results, model.manifest.provenance.corpus_hash)
    if note := format_excluded([name for name in asked if name in excluded]):
        print(note, file=sys.stderr)
    found = predict_posts(model, posts, asked)
    if cut := model.count_truncated(asked, found.drop_duplicates(["post_id", "start"])["text"].tolist()):
        print(
            f"The model reads at most {model.hyper.max_length} tokens of a criterion and a sentence. The rest of"
            f" {format_count(cut, 'longer sentence')} was not read; add punctuation, or search a greater"
            " data.max_length.",
            file=sys.stderr,
        )
    if options.output is not None:
        with replacing(options.output) as temporary:
            found.to_csv(temporary, index=False)
        print(
            f"{len(found)} predictions for {len(posts)} posts in {options.output}. The decision rules were fitted"
            f" {in_population(model.manifest.population)}.",
            file=sys.stderr,
        )
    else:
        print("\n".join(format_predictions(found, posts[0][1], colour=sys.stdout.isatty())))


def excluded_criteria(results: Path, corpus_hash: str) -> tuple[str, ...]:
    """Return the criteria that were left out of the scores of a model.

    Args:
        results: Folder of all results.
        corpus_hash: Hash of the corpus that the model was trained on.

    Returns:
        Their names. There are none if the results do not hold that corpus, since model.json does not name them.
    """
    from lib.schemas.corpus import CorpusManifest

    try:
        corpus = CorpusManifest.read(results / "corpus" / CorpusManifest.FILE)
    except UserError:  # A model predicts without the corpus, so this is no reason to stop.
        return ()
    return corpus.excluded_criteria if corpus.corpus_hash == corpus_hash else ()


def _posts(options: Namespace) -> list[tuple[str, str]]:
    if options.csv is None:
        return [("post", _read_post(options.post))]
    posts = read_posts(options.csv)
    empty = [name for name, text in posts if not text.strip()]
    if empty:
        print(
            f"{options.csv}: {len(empty)} of {len(posts)} posts have no text and get no predictions"
            f" (the first is post_id '{empty[0]}')",
            file=sys.stderr,
        )
    return [(name, text) for name, text in posts if text.strip()]


def _read_post(given: str) -> str:
    """Return the text of --post, or of standard input if it is '-'."""
    try:
        text = sys.stdin.read() if given == "-" else given
        text.encode()  # Python hides bytes that are not UTF-8 in surrogates, which no tokenizer takes
    except UnicodeError:
        raise UserError(
            "--post: the text is not UTF-8; convert it first, e.g. with iconv -f latin1 -t utf-8"
        ) from None
    if not text.strip():
        raise UserError("--post: the text is empty")
    return text


def read_posts(path: Path) -> list[tuple[str, str]]:
    """Read the id and the text of each post of a CSV file.

    Raises:
        UserError: The file is unusable, or an id is repeated; one line for each such row.
    """
    posts: dict[str, str] = {}
    problems = []
    for row, fields in read_csv_rows(path, ["post_id", "text"], "rename the column in the file"):
        if fields["post_id"] in posts:
            problems.append(
                f"{path}, row {row}: post_id '{fields['post_id']}' is already in an earlier row; rename one"
            )
        posts[fields["post_id"]] = fields["text"]
    if problems:
        raise UserError(problems)
    return list(posts.items())


def format_predictions(found: "pd.DataFrame", text: str, *, colour: bool) -> Iterable[str]:
    """Format the predictions for one post.

    Args:
        found: Predictions of the post, as `predict_posts` returns them.
        text: Text of the post.
        colour: Whether the terminal can highlight text.

    Yields:
        A line for each criterion, most probable first; below a met criterion, the post with its evidence marked. Then
        the population that the model was fitted for.
    """
    from lib.metrics.objective import in_population

    posts = found.drop_duplicates("criterion").sort_values("post_probability", ascending=False, kind="stable")
    for name, post_met, probability in zip(
        posts["criterion"], posts["post_met"], posts["post_probability"], strict=True
    ):
        yield f"{'yes' if post_met else 'no ':4s}{probability:6.3f}  {name}"
        if post_met:
            own = found[found["criterion"] == name]
            # A post can meet a criterion that none of its sentences meets, since they have different thresholds.
            evidence = own[own["met"]] if own["met"].any() else own.nlargest(1, "probability")
            spans = [
                (start, end) for start, end in zip(evidence["start"], evidence["end"], strict=True) if end > start
            ]
            yield "    " + (mark_spans(text, spans, colour=colour) if spans else "no evidence found")
    where = in_population(found["population"].iloc[0])
    yield f"The decision rules were fitted {where}. The predictions are for research and are not a diagnosis."


def mark_spans(text: str, spans: list[tuple[int, int]], *, colour: bool) -> str:
    """Return a text with spans highlighted, on one line.

    Args:
        text: Any text.
        spans: Characters [start, end) of each span; spans do not overlap.
        colour: True for reverse video, False for double brackets.

    Returns:
        The text, with all white space replaced by single spaces.
    """
    begin, end = ("\033[7m", "\033[0m") if colour else ("[[", "]]")
    for low, high in sorted(spans, reverse=True):
        text = f"{text[:low]}{begin}{text[low:high]}{end}{text[high:]}"
    return " ".join(text.split())


COMMAND = Command(
    "predict",
    "Predict the criteria of posts, with their evidence, by an agent's final model.",
    predict,
    add_arguments,
    settings=False,
)
