"""The command line: one command per rule of the graph, and the few a person types."""

import argparse
import errno
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from lib.errors import UserError

_FULL = {errno.ENOSPC, errno.EDQUOT}
Command = Callable[[argparse.Namespace], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit status: 0, or 1 after a line per problem on stderr."""
    options = parser().parse_args(arguments)
    os.umask(0o077)  # of texts and what is made of them nobody else sees anything
    _silence_dependencies(offline=options.command not in {"backbone", "lexicon", "reproduce"})
    _log_to(options.log)
    # A cluster's time limit, scancel and Snakemake say it so: leave in good order, like after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        options.run(options)
    except UserError as error:
        for line in error.lines:
            logging.getLogger("lib").error(line)
            print(line, file=sys.stderr)
        return 1
    except OSError as error:
        return _refused(error)
    except KeyboardInterrupt:
        print("interrupted; run the same command to continue", file=sys.stderr)
        return 130
    except Exception:
        return _bug()
    return 0


def entry() -> None:
    """Run as `clinical-search`, the same as `python -m lib`."""
    sys.exit(main())


def _refused(error: OSError) -> int:
    if isinstance(error, BrokenPipeError):  # who reads what is printed has ended, as head does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if error.errno not in _FULL:
        return _bug()
    where = f": {error.filename}" if error.filename else ""
    print(f"no space left on the disk{where}; free some, and run the same command to continue", file=sys.stderr)
    return 1


def _bug() -> int:
    logging.getLogger("lib").exception("bug")
    traceback.print_exc()
    return 1


def parser() -> argparse.ArgumentParser:
    """Build the parser. A command's module is imported when it runs: --help is instant."""
    root = argparse.ArgumentParser(prog="python -m lib", description="Find the best transformer for clinical text.")
    subs = root.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(name: str, run: str, text: str, *, agent: bool = False, settings: bool = True) -> argparse.ArgumentParser:
        sub = subs.add_parser(name, help=text, description=text)
        sub.set_defaults(run=_later(run))
        sub.add_argument("--log", type=Path, default=None, help="file for details")
        if agent:
            sub.add_argument("agent", help="name of the agent, e.g. criteria")
        if settings:
            sub.add_argument("--settings", type=Path, default=Path("results/settings.json"), help="resolved settings")
            sub.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
        return sub

    sub = add("settings", "prepare.settings", "Check the configuration and write it resolved.", settings=False)
    _add_configuration(sub)
    sub.add_argument("--output", type=Path, default=Path("results/settings.json"), help="file")
    sub = add("schema", "prepare.schema", "Write the JSON schema of the configuration.", settings=False)
    sub.add_argument("--output", type=Path, default=Path("config/config.schema.json"), help="file")
    sub = add("generate-corpus", "prepare.generate_corpus", "Write a generated corpus in ReDSM5's format.")
    sub.add_argument("--output", type=Path, required=True, help="folder")
    sub = add("corpus", "prepare.corpus", "Read, check, split and describe the corpus.")
    sub.add_argument("--input", type=Path, required=True, help="folder with posts.csv and annotations.csv")
    add("tfidf", "prepare.tfidf", "Fit the TF-IDF cache on development text.", agent=True)
    sub = add("backbone", "prepare.backbone", "Bring a backbone into results/backbones.")
    sub.add_argument("name", help="a name from the backbones file")
    sub.add_argument(
        "--random-init", action="store_true", help="its architecture in base size, random weights: to measure speed"
    )
    add("lexicon", "augment.lexicon", "Bring lexical data for augmentation into results/lexicon.")
    sub = add(
        "augmentation-bank", "augment.augmentation_bank", "Augment an agent's texts by all methods.", agent=True
    )
    sub.add_argument("--processes", type=int, default=1, help="that augment side by side")
    sub = add(
        "augment", "augment.augment", "Show what an augmentation method does to a text; without one, list them."
    )
    sub.add_argument("--method", help="name of the method; none: list them")
    sub.add_argument("--text", help="to be augmented")
    sub.add_argument("--strength", type=float, default=0.3, help="share of the words that may be altered")
    sub.add_argument("--variants", type=int, default=3, help="how many to show")
    sub.add_argument("--agent", help="whose TF-IDF cache is read")
    _add_stages(add)
    return root


def _add_stages(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands of the search."""

    def add_worker(stage: str, run: str) -> None:
        text = f"Do trials of Stage {stage} until its study has its budget; any number of these may run at once."
        sub = add(f"stage-{stage.lower()}-worker", run, text, agent=True)
        sub.add_argument("--output", type=Path, required=True, help="file that says which trials this process did")
        sub.add_argument("--partner", action="store_true", help=argparse.SUPPRESS)

    add_worker("A", "search.stage_a_worker")
    add("stage-a", "search.stage_a", "Stage A: keep the best of its study.", agent=True)
    add("augmentation-report", "augment.augmentation_report", "Describe what augmentation did.", agent=True)
    add_worker("B", "search.stage_b_worker")
    add("stage-b", "search.stage_b", "Stage B: rank the trials of its study.", agent=True)
    add("stage-c-candidates", "search.stage_c_candidates", "Choose the candidates of Stage C.", agent=True)
    sub = add("stage-c-fold", "search.stage_c_fold", "Cross-validate one candidate on one fold.", agent=True)
    sub.add_argument("--candidate", type=int, required=True, help="number in candidates.json")
    sub.add_argument("--fold", type=int, required=True, help="number, from 0; repeats count on")
    add("stage-c-baseline", "search.stage_c_baseline", "Score the baseline on the folds.", agent=True)
    add("stage-c", "search.stage_c", "Stage C: rank the candidates and choose.", agent=True)
    add("baseline", "search.baseline", "Score what a search must beat on the development splits.", agent=True)
    add("final", "final.final", "Refit what Stage C chose and judge it once on the test set.", agent=True)
    add("report", "final.report", "Write an agent's report, one HTML file.", agent=True)
    add("summary", "final.summary", "Put all agents side by side: results/summary.html, .md, .json.")
    _add_predict(add)
    _add_before(add)
    _add_afterwards(add)
    text = "Print the completion of the command clinical-search for a shell."
    sub = add("completion", "completion.completion", text, settings=False)
    sub.add_argument("shell", choices=["bash", "zsh", "tcsh"], help="its name")
    sub = add("status", "search.status", "Say where every study stands.")
    sub.add_argument("--watch", type=float, metavar="SECONDS", help="say it again and again")


def _add_predict(add: Callable[..., argparse.ArgumentParser]) -> None:
    sub = add("predict", "predict.predict", "Use an agent's final model on posts.", settings=False)
    sub.add_argument("--agent", required=True, help="whose model")
    asked = sub.add_mutually_exclusive_group(required=True)
    asked.add_argument("--post", help="a text; '-' reads it from standard input")
    asked.add_argument("--csv", type=Path, help="file with the columns post_id and text")
    sub.add_argument("--output", type=Path, help="CSV file for all predictions; needed with --csv")
    sub.add_argument("--criterion", action="append", default=[], help="ask for this one only; may be repeated")
    sub.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to predict")
    sub.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")


def _add_before(add: Callable[..., argparse.ArgumentParser]) -> None:
    sub = add("check", "before.check", "Look at all that a run needs, before it.", settings=False)
    _add_configuration(sub)
    sub.add_argument("--results", type=Path, default=Path("results"), help="folder of all results")
    sub = add("estimate", "before.estimate", "Say what an agent's search will take on this machine.", agent=True)
    sub.add_argument("--seconds", type=float, default=60.0, help="of calibration")
    sub = add("sync", "sync.sync", "Upload to MLflow what it does not know yet.")
    sub.add_argument("--agent", action="append", default=[], help="only this one; may be repeated")
    sub.add_argument("--watch", type=float, metavar="SECONDS", help="again and again, beside a running search")
    sub.add_argument("--tolerant", action="store_true", help="a server that is away is said, and is no failure")
    sub.add_argument("--output", type=Path, help="file that says what was uploaded")
    sub = add("watch", "watch.watch", "Say what a running pipeline uses, and warn.")
    sub.add_argument("--once", action="store_true", help="look once")


def _later(command: str) -> Command:
    """Return the command 'module.function' of this package; the module is imported when it runs."""
    module, name = command.split(".")

    def run(options: argparse.Namespace) -> None:
        getattr(import_module(f"lib.cli.{module}"), name)(options)

    return run


def _add_afterwards(add: Callable[..., argparse.ArgumentParser]) -> None:
    text = "Write all that is needed to make an agent's chosen trial again."
    add("provenance", "afterwards.provenance", text, agent=True)
    text = "Make a chosen trial again from its provenance.json alone, and compare."
    sub = add("reproduce", "afterwards.reproduce", text, settings=False)
    sub.add_argument("study", type=Path, help="results/{agent}/provenance.json")
    sub = add("archive", "afterwards.archive", "Put all results into one tar, without texts.")
    sub.add_argument("--output", type=Path, default=Path("results.tar.gz"), help="file")


def _add_configuration(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--config", type=Path, action="append", default=[], help="YAML file; later ones override")
    sub.add_argument("--json", help="a configuration as JSON that overrides the files")


def _silence_dependencies(*, offline: bool) -> None:
    """No telemetry, no progress bars, and no network but where a backbone or a lexicon is fetched."""
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    if offline:
        os.environ["HF_HUB_OFFLINE"] = "1"


def _log_to(path: Path | None) -> None:
    if path is None:
        # Else logging's handler of last resort would say every problem a second time.
        logging.getLogger("lib").addHandler(logging.NullHandler())
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.basicConfig(
        filename=path, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
