"""The command `predict`: an agent's final model on a post, shown in the terminal, or on a CSV file."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from lib.agents import check_agent
from lib.cli.command import Command, add_results
from lib.corpus.table import read_table
from lib.errors import UserError, unknown_name
from lib.files.atomic import replacing
from lib.settings.config import TrainingSettings

if TYPE_CHECKING:
    import pandas as pd


def add_arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--agent", required=True, help="whose model")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--post", help="a text; '-' reads it from standard input")
    source.add_argument("--csv", type=Path, help="file with the columns post_id and text")
    parser.add_argument("--output", type=Path, help="CSV file for all predictions; needed with --csv")
    parser.add_argument("--criterion", action="append", default=[], help="ask for this one only; may be repeated")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to predict")
    add_results(parser)


def predict(options: Namespace) -> None:
    """Predict for one post or for a file of posts."""
    from lib.devices.device import choose_device
    from lib.evaluation.prediction import predict_posts
    from lib.evaluation.saved_model import SavedModel

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
    found = predict_posts(model, posts, options.criterion or list(known))
    if options.output is not None:
        with replacing(options.output) as temporary:
            found.to_csv(temporary, index=False)
        print(f"{len(found)} predictions for {len(posts)} posts in {options.output}", file=sys.stderr)
    else:
        print("\n".join(shown(found, posts[0][1], colour=sys.stdout.isatty())))


def _posts(options: Namespace) -> list[tuple[str, str]]:
    if options.csv is None:
        text = sys.stdin.read() if options.post == "-" else options.post
        if not text.strip():
            raise UserError("--post: the text is empty")
        return [("post", text)]
    return [(fields["post_id"], fields["text"]) for _, fields in read_table(options.csv, ["post_id", "text"])]


def shown(found: "pd.DataFrame", text: str, *, colour: bool) -> Iterable[str]:
    """Yield a line for each criterion, the most probable first, and the post with its evidence marked beneath."""
    best = found.groupby("criterion")["probability"].max().sort_values(ascending=False)
    for name, probability in best.items():
        met = found[(found["criterion"] == name) & found["met"]]
        yield f"{'yes' if len(met) else 'no ':4s}{probability:6.3f}  {name}"
        if len(met):
            yield "    " + marked(text, list(zip(met["start"], met["end"], strict=True)), colour=colour)
    yield "Research only: no diagnosis."


def marked(text: str, spans: list[tuple[int, int]], *, colour: bool) -> str:
    """Return a text with spans highlighted: in reverse video, or between double brackets where there is no colour."""
    begin, end = ("\033[7m", "\033[0m") if colour else ("[[", "]]")
    for low, high in sorted(spans, reverse=True):
        text = f"{text[:low]}{begin}{text[low:high]}{end}{text[high:]}"
    return " ".join(text.split())


COMMAND = Command(
    "predict",
    "Use an agent's final model on posts.",
    predict,
    add_arguments,
    settings=False,
)
