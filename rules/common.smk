"""The checked settings, functions that the rules use, and the lock on the results folder."""

import json
import os
import sys

sys.path.insert(0, str(Path(workflow.basedir).parent))

from lib.agents import check_agent
from lib.corpus.corpus_files import find_corpus_files
from lib.devices import nvidia_smi
from lib.errors import UserError
from lib.files.locks import hold_lock
from lib.settings.load import load_settings, save_settings


def checked_settings():
    """Refuse a wrong configuration before the graph is built, with one line per problem."""
    try:
        settings = load_settings(config, [file for file in workflow.configfiles])
        for agent in settings.config.agents:
            check_agent(agent)
        if settings.config.corpus.dir is not None:
            find_corpus_files(settings.config.corpus, Path(settings.config.corpus.dir))
        return settings
    except UserError as error:
        print(*error.lines, sep="\n", file=sys.stderr)
        raise SystemExit(1)


# As in lib.cli.main, only the owner may read what the jobs write.
os.umask(0o077)
SETTINGS = checked_settings()


# The folder of all results, or that of an outer fold, which has the same files.
wildcard_constraints:
    results=r"results(/outer-\d+)?",
    agent="|".join(SETTINGS.config.agents),
    backbone="|".join(SETTINGS.backbones),
    candidate=r"\d+",
    fold=r"\d+",
    repeat=r"\d+",
    worker=r"\d+",


def settings_json(*names):
    """Return the named parts of the settings as JSON. As a parameter of a rule, they rerun it when they change."""
    dump = SETTINGS.model_dump(mode="json")
    return json.dumps(
        {name: dump.get(name, dump["config"].get(name)) for name in names},
        sort_keys=True,
    )


def training(*more):
    """Return the settings that change the result of a training, and those named in `more`, as JSON.

    Threads are left out, because they change only its speed.
    """
    settings = json.loads(
        settings_json(
            "seed",
            "training",
            "objective",
            "decision",
            "optimizers",
            "space",
            "storage",
            *more,
        )
    )
    del settings["training"]["threads"]
    return json.dumps(settings, sort_keys=True)


def gpus_per_job():
    """Return the number of GPUs of a training job: 1, or 0 on a machine without one."""
    device = SETTINGS.config.training.device
    return int(device == "cuda" or (device == "auto" and nvidia_smi.is_installed()))


def corpus_files():
    """Return the files with the posts and with the annotations."""
    folder = SETTINGS.config.corpus.dir
    if folder is None:
        return "results/generated/posts.csv", "results/generated/annotations.csv"
    return tuple(map(str, find_corpus_files(SETTINGS.config.corpus, Path(folder))))


def backbone_corpus(wildcards):
    """Return the corpus as input of a random backbone, whose tokenizer is trained on it."""
    needed = SETTINGS.backbones[wildcards.backbone].needs_corpus
    return [f"{wildcards.results}/corpus/corpus.json"] if needed else []


def backbones(wildcards):
    """Return the backbones that the space can suggest."""
    return expand(
        "{results}/backbones/{backbone}/backbone.json",
        results=wildcards.results,
        backbone=SETTINGS.backbones,
    )


def outer_fold(wildcards):
    """Return the option for the corpus of an outer fold; nothing for that of the main search."""
    _, _, number = wildcards.results.partition("outer-")
    return f"--outer-fold {number}" if number else ""


def race_before(wildcards):
    """Return the file with the candidates that are still trained in a fold's repeat."""
    repeat = int(wildcards.fold) // STAGE_C.folds
    if not STAGE_C.racing or repeat == 0:
        return []
    return f"{wildcards.results}/{wildcards.agent}/stage_c/race_{repeat}.json"


def repeat_of_race(wildcards):
    """Return the folds of the repeat that a race is decided after, and the race before it."""
    repeat = int(wildcards.repeat)
    folds = expand(
        "{results}/{agent}/stage_c/{candidate}-{fold}.json",
        results=wildcards.results,
        agent=wildcards.agent,
        candidate=range(STAGE_C.candidates),
        fold=range((repeat - 1) * STAGE_C.folds, repeat * STAGE_C.folds),
    )
    before = (
        [f"{wildcards.results}/{wildcards.agent}/stage_c/race_{repeat - 1}.json"]
        if repeat > 1
        else []
    )
    return folds + before


STAGE_C = SETTINGS.config.stage_c
OUTER_FOLDS = range(1, (SETTINGS.config.outer_folds or 0) + 1)
THREADS = SETTINGS.config.training.threads


# Keeps the lock until Snakemake ends, since local names of a handler are lost when it returns.
HELD = []


onstart:
    try:
        HELD.append(hold_lock("results/.pipeline.lock", "this results folder"))
        # Every command reads this file. It is not the output of a job, because Snakemake (9.27) ignores the parameters
        # of jobs after one that must run, even if all its files are marked as ancient.
        save_settings(SETTINGS, "results/settings.json")
    except UserError as error:
        print(*error.lines, sep="\n", file=sys.stderr)
        raise SystemExit(1)
