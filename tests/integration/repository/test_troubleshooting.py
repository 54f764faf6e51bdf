"""The code gives every message that docs/troubleshooting.md quotes, for the mistake that the page names."""

import errno
import faulthandler
import os
import re
from collections.abc import Callable
from pathlib import Path
from threading import Event
from types import SimpleNamespace

import pytest
import torch
from optuna.trial import TrialState, create_trial
from support.checkouts import ROOT
from support.studies import NAME, study_in
from support.tiny import change_settings, empty_provenance, params, tiny_settings, worker_command
from support.training import CPU, model_and_data
from torch import nn

from lib.agents import get_agent
from lib.augmentation.methods import METHODS
from lib.cli.main import main
from lib.corpus.reader import read_corpus
from lib.devices.device import choose_device
from lib.errors import UserError
from lib.evaluation.cross_validation import candidates_in_the_race, collect_stage_c
from lib.evaluation.saved_model import SavedModel
from lib.experiment.experiment import Experiment
from lib.files.atomic import write_json
from lib.files.json_files import read_json
from lib.files.locks import hold_lock
from lib.modeling.backbones import Backbones, fetch
from lib.modeling.tokens import check_criteria_fit
from lib.schemas.augmentation import BankEntry, BankManifest
from lib.schemas.corpus import CorpusManifest
from lib.schemas.evaluation import TrialProvenance
from lib.schemas.run import SeedResult
from lib.schemas.search import StageAResult, TrialCounts, read_stage
from lib.search.collect import collect_stage_a
from lib.search.selection import choose_candidates
from lib.search.study_results import AgentSearch
from lib.settings.config import CorpusSettings, HubBackbone, TrainingSettings
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings, save_settings
from lib.studies.location import StudyLocation
from lib.training.data import TrainingFailure
from lib.training.engine import TrainingOptions, train

Provocation = Callable[[], object]
SETTINGS, RESULTS = Path("results/settings.json"), Path("results")
HUB = HubBackbone(source="hub", repo="org/model", revision="main")
CELLS = re.findall(r"^\| (`.*?) \|", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
QUOTED = [message for cell in CELLS for message in re.findall(r"`([^`]+)`", cell)]
PROVOCATIONS: dict[str, Provocation] = {}


def provokes(message: str) -> Callable[[Provocation], Provocation]:
    """Register a function that makes the mistake with this message, in a copy of `prepared`."""

    def register(provocation: Provocation) -> Provocation:
        PROVOCATIONS[message] = provocation
        return provocation

    return register


def message_of(provocation: Provocation, capsys: pytest.CaptureFixture[str]) -> str:
    """Return the message of the error that is raised, or else what is printed."""
    try:
        provocation()
    except (UserError, TrainingFailure) as error:
        return str(error)
    return capsys.readouterr().err


@pytest.mark.usefixtures("copy_of_prepared")
@pytest.mark.parametrize("quoted", QUOTED)
def test_the_code_gives_a_quoted_message(quoted: str, capsys: pytest.CaptureFixture[str]) -> None:
    pattern = ".*".join(re.escape(part.strip()) for part in quoted.split("…"))
    message = message_of(PROVOCATIONS[quoted], capsys)
    assert re.search(pattern, message), message


def test_each_provoked_message_is_quoted_once() -> None:
    assert sorted(QUOTED) == sorted(PROVOCATIONS)


@provokes("unknown key")
def misspell_a_key() -> None:
    tiny_settings(sed=1)


@provokes("is above stage_b.trials")
def want_more_candidates_than_trials() -> None:
    tiny_settings(stage_c={"candidates": 99})


@provokes("SQLite locks its whole file")
def share_sqlite() -> None:
    tiny_settings(storage="sqlite:///studies.db", workers=2)


@provokes("no such file; corpus.dir must hold")
def read_a_corpus_that_is_elsewhere() -> None:
    read_corpus(CorpusSettings(), Path("nowhere"))


@provokes("column … is missing")
def rename_a_column() -> None:
    Path("posts.csv").write_text("post_id,body\na,I am tired.\n")
    Path("annotations.csv").touch()
    read_corpus(CorpusSettings(), Path())


@provokes("cannot be fetched from the hub")
def fetch_without_network() -> None:
    fetch("x", HUB, Path("x"), texts=[], seed=0)


@provokes("may move; set … to get the same weights again")
def fetch_a_branch() -> None:
    save_settings(tiny_settings().model_copy(update={"backbones": {"x": HUB}}), SETTINGS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: RESULTS / "backbones/tiny-bert")
        main(["backbone", "x"])


@provokes("needs … tokens of backbone")
def read_few_tokens() -> None:
    tokenizer = Backbones(RESULTS / "backbones").tokenizer("tiny-bert")
    check_criteria_fit(tokenizer, {"FATIGUE": "The writer is tired."}, max_length=4, name="tiny-bert")


@provokes("torch sees no CUDA device")
def train_on_a_missing_gpu() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        choose_device(TrainingSettings(device="cuda"))


@provokes("was … when the study began and is now")
def change_a_study() -> None:
    study_in(Path("studies"), identity={"epochs": 3})
    study_in(Path("studies"), identity={"epochs": 4})


@provokes("was searched in another space")
def change_the_space_after_a_stage() -> None:
    StageAResult(
        provenance=empty_provenance(),
        agent="criteria",
        objective="",
        calibration="",
        space=tiny_settings().space,
        counts=TrialCounts(complete=0, pruned=0, failed=0),
        trials=[],
    ).write(StageAResult.FILE)
    changed = tiny_settings(constraints={"optim.lr": {"low": 5e-4, "high": 1e-3}})
    read_stage(StageAResult, Path(StageAResult.FILE), changed.space)


@provokes("in use by process")
def hold_a_lock_twice() -> None:
    with hold_lock("x.lock", "this results folder"):
        hold_lock("x.lock", "this results folder")


def train_changed(change: Callable[[nn.Module], object]) -> None:
    """Train a model that is changed first."""
    hyper = Hyperparameters.of(params())
    model, training_data = model_and_data(Experiment(read_settings(SETTINGS), "criteria", RESULTS), hyper)
    change(model)
    train(model, training_data, CPU, TrainingOptions(epochs=1, patience=1), seed=0)


@provokes("the loss is not finite")
def diverge() -> None:
    train_changed(lambda model: nn.init.constant_(model.label_head[-1].bias, float("nan")))


@provokes("out of memory: a window of")
def exhaust_the_memory() -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError

    train_changed(lambda model: model.register_forward_pre_hook(full))


@provokes("took longer than trial_minutes")
def hang() -> None:
    restarted = Event()

    def wait_for_the_restart(*_: object, **__: object) -> None:
        restarted.wait(60)
        raise KeyboardInterrupt

    change_settings(trial_minutes=0.001)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Experiment, "run", wait_for_the_restart)
        patch.setattr(os, "execv", lambda *_: restarted.set())
        patch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)  # it would end the tests
        main(worker_command("a").split())


@provokes("no trial gave a result")
def fail_every_trial() -> None:
    failed = create_trial(state=TrialState.FAIL, user_attrs={"reason": "the loss is not finite"})
    collect_stage_a(AgentSearch(tiny_settings(), "criteria", RESULTS), [failed])


def fail(*_: object, **__: object) -> None:
    raise TrainingFailure("the loss is not finite")


@provokes("a training that cannot be left out failed")
def fail_a_baseline() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Experiment, "run", fail)
        main(["baseline", "criteria"])


@provokes("no candidate has a result on every fold")
def fail_every_candidate() -> None:
    made = Experiment(read_settings(SETTINGS), "criteria", RESULTS)
    collect_stage_c(made, SimpleNamespace(candidates=[SimpleNamespace(number=0)]), [], None)


@provokes("folds were trained with")
def update_torch_between_folds() -> None:
    folds = [
        SimpleNamespace(
            candidate=0,
            fold=number,
            scores={"objective": 0.5},
            provenance=empty_provenance().model_copy(update={"packages": {"torch": f"2.{number}"}}),
        )
        for number in range(2)
    ]
    candidates_in_the_race(Experiment(read_settings(SETTINGS), "criteria", RESULTS), [0], folds)


@provokes("has only … distinct completed configurations")
def complete_too_few_trials() -> None:
    choose_candidates([], 2, band=0.1)


@provokes("a line is damaged")
def damage_a_journal() -> None:
    study_in(Path("studies"))
    journal = StudyLocation(NAME, Path("studies"), None).journal
    journal.write_text('{"op_code": 5, "wor\n' + journal.read_text())
    study_in(Path("studies"))


@provokes("no space left on the disk")
def fill_the_disk() -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", full)
        main(["schema", "--output", "schema.json"])


@provokes("tracking.uri: … cannot be reached")
def track_on_a_dead_server() -> None:
    change_settings(tracking={"uri": "http://127.0.0.1:9"})
    main(["sync"])


@provokes("holds no model")
def load_a_model_too_early() -> None:
    SavedModel.load(RESULTS / "criteria/model", CPU)


@provokes("is unknown")
def misspell_an_agent() -> None:
    get_agent("criterias")


@provokes("schema_version … is unknown")
def read_a_file_of_another_version() -> None:
    path = RESULTS / "corpus" / CorpusManifest.FILE
    write_json(path, read_json(path) | {"schema_version": 99})
    CorpusManifest.read(path)


@provokes("no texts augmented by")
def remove_the_augmented_texts() -> None:
    counts = {"changed": 1, "unchanged": 0, "refused": 0, "errors": {}, "performance": {}}
    entry = BankEntry(key="removed", note=None, examples=[], **counts)
    BankManifest(
        provenance=empty_provenance(),
        agent="criteria",
        texts=1,
        levels=[0.2],
        variants=1,
        methods=dict.fromkeys(METHODS, entry),
        splits={},
        performance={},
    ).write(RESULTS / "criteria/augmentation" / BankManifest.FILE)
    space = tiny_settings(constraints={"aug.enabled": {"choices": [True]}}).space
    Experiment(read_settings(SETTINGS), "criteria", RESULTS).builder.check_bank(space)


@provokes("the scores differ by up to")
def reproduce_with_other_scores() -> None:
    corpus_hash = CorpusManifest.read(RESULTS / "corpus" / CorpusManifest.FILE).corpus_hash
    scores = {"objective": 0.8, "calibration_error": 0.1}
    TrialProvenance(
        provenance=empty_provenance().model_copy(update={"corpus_hash": corpus_hash}),
        agent="criteria",
        settings=tiny_settings(corpus={"dir": str(Path("results/generated").resolve())}).model_dump(mode="json"),
        backbones={},
        trial=0,
        params=params(),
        seeds=[SeedResult(seed=0, key="", by_policy={}, best_epoch=1, epochs_run=1, stopped="epochs", **scores)],
        files={},
    ).write(TrialProvenance.FILE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Experiment, "run", lambda *_, **__: SimpleNamespace(scores=scores | {"objective": 0.7}))
        main(["reproduce", TrialProvenance.FILE])
