"""Training on augmented texts, from a bank whose only method puts "zebra" in place of some words."""

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import params, tiny_settings, worker

from lib.augmentation import making
from lib.augmentation.bank import BankManifest, Entry, facts, path
from lib.augmentation.examples import Texts
from lib.augmentation.libraries import Resources
from lib.augmentation.making import Recipe
from lib.augmentation.methods import METHODS
from lib.cli.main import main
from lib.errors import UserError
from lib.files.documents import now, provenance
from lib.files.reading import read_json
from lib.reporting.augmentation import describe
from lib.search.documents import MethodEffect, SeedResult, TrialResult
from lib.search.effects import method_effects
from lib.search.experiment import Experiment
from lib.settings.hyperparameters import Hyperparameters
from lib.settings.load import read_settings, save_settings
from lib.training import engine

LEVEL = 0.2


def experiment(agent: str) -> Experiment:
    """An experiment whose space may augment, with a bank."""
    settings = tiny_settings(
        constraints={"aug.enabled": {"choices": [False, True]}, "aug.max_replace": {"choices": [LEVEL]}}
    )
    save_settings(settings, "results/settings.json")
    made = Experiment(read_settings("results/settings.json"), agent, Path("results"))
    texts = Texts(made.examples, whole=not made.agent.reads_posts).unique
    cache, entries = Path("results/cache/augmentation"), {}
    for method in METHODS:
        recipe = Recipe(method, (LEVEL,), 2, ("sleep",), Resources(Path("nowhere")))
        making._keep(cache, f"{agent}-{method}", list(making.variants(texts, recipe)), 1.0)
        counts = read_json(facts(cache, f"{agent}-{method}"))
        entries[method] = Entry(key=f"{agent}-{method}", note=None, examples=[], **counts)
    BankManifest(
        provenance=provenance(config_hash="", corpus_hash="", seed=0, device="cpu", started=now()),
        agent=agent,
        texts=len(texts),
        levels=[LEVEL],
        variants=2,
        methods=entries,
        performance={"seconds": 1.0, "bytes": 2.0**20},
    ).write(f"results/{agent}/augmentation/bank.json")
    return made


def zebra(method: str, level: float, resources: Resources):
    def augment(text: str) -> str:
        return " ".join("zebra" if np.random.random() < 0.3 else word for word in text.split())

    return augment


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch, copy_of_finished: Path) -> None:
    monkeypatch.setattr(making, "make", zebra)


def chosen(agent: str, **more: object) -> dict:
    return params(
        **{
            "aug.enabled": True,
            "aug.p_apply": 0.5,
            "aug.ops_per_sample": 2,
            "aug.max_replace": LEVEL,
            "optim.lr": 1e-3,
        }
        | {"optim.batch_size": 16}
        | more
    )


@pytest.mark.parametrize("agent", ["criteria", "evidence", "joint"])
def test_an_epoch_learns_augmented_texts_of_the_training_part_only(agent: str) -> None:
    made = experiment(agent)
    hyper = Hyperparameters.of(chosen(agent))
    _, features = made.model(hyper)
    split = made.development_split(0)
    augmentation = made.augmentation(hyper, features, split.train, 0)
    tokens = features.tokens[0]
    first = augmentation.material(1, last=False)
    again = made.augmentation(hyper, features, split.train, 0).material(1, last=True)
    assert torch.equal(first.features.tokens[0].ids, again.features.tokens[0].ids)
    assert first.windows.tolist() == again.windows.tolist() and first.applied == again.applied
    second = augmentation.material(2, last=True)
    assert second.windows.tolist() != first.windows.tolist()
    for material in (first, second):
        joined = material.features.tokens[0]
        assert torch.equal(joined.ids[: len(tokens.ids)], tokens.ids), "what was there stays"
        assert set(joined.pair[material.windows]) == set(split.train), "every example once, and none of other parts"
        new = material.windows[material.windows >= len(tokens.pair)]
        assert len(new) and not set(joined.pair[new]) & set(joined.pair[np.setdiff1d(material.windows, new)])
        assert material.applied.total() >= len(set(joined.pair[new]))
        assert [len(t.pair) for t in material.features.tokens] == [len(joined.pair)] * len(features.tokens)
        assert len(material.features.targets.label) == len(joined.pair)
    zebras = set(made.backbones.tokenizer("tiny-bert")("zebra", add_special_tokens=False)["input_ids"])
    assert zebras <= set(tokens.vocabulary[joined.ids[tokens.offsets[-1] :].numpy()].tolist())


@pytest.mark.parametrize("agent", ["criteria", "evidence"])
def test_a_killed_augmented_run_goes_on_bit_for_bit(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = experiment(agent)
    split = made.development_split(0)
    whole = made.run(chosen(agent), split, epochs=3)
    assert sum(whole.augmented.values()) > 0 and whole.key != made.run(params(), split, epochs=1).key
    next(Path(f"results/{agent}/runs").glob(f"{whole.key}.json")).unlink()
    learn, epochs = engine._Training._learn, []

    def killed(self, epoch: int) -> float:
        if epoch == 3 and not epochs:
            epochs.append(epoch)
            raise KeyboardInterrupt
        return learn(self, epoch)

    monkeypatch.setattr(engine._Training, "_learn", killed)
    with pytest.raises(KeyboardInterrupt):
        made.run(chosen(agent), split, epochs=3)
    resumed = experiment(agent).run(chosen(agent), split, epochs=3)
    assert resumed.history == whole.history and resumed.augmented == whole.augmented


def test_more_windows_than_were_planned_do_not_overrun_the_schedule() -> None:
    made = experiment("evidence")
    run = made.run(
        chosen("evidence", **{"schedule.name": "one_cycle", "aug.p_apply": 1.0, "data.max_length": 64}),
        made.development_split(0),
        epochs=2,
    )
    assert len(run.history) == 2


def test_a_bank_that_lacks_something_is_refused_at_the_start(capsys) -> None:
    made = experiment("criteria")
    made.check()
    path(Path("results/cache/augmentation"), "criteria-ocr").unlink()
    with pytest.raises(UserError, match=r"bank.json: no texts augmented by ocr; remove it to have them made anew"):
        made.check()
    Path("results/criteria/augmentation/bank.json").unlink()
    assert main(worker("a").split()) == 1
    assert "bank.json: no such file" in capsys.readouterr().err


def test_stage_a_tells_each_methods_effect_and_the_page_shows_it() -> None:
    made = experiment("criteria")
    trials = [
        TrialResult(
            number=i,
            state="COMPLETE" if i % 2 else "PRUNED",
            params=chosen("criteria", **{"aug.strategy": "custom"})
            | {f"aug.weight_{name}": float(name == "ocr") * i / 20 + 0.1 for name in METHODS},
            f1_macro=0.4 + i / 50,
            ece=0.1,
            seeds=[
                SeedResult(
                    seed=0, key="", f1_macro=0.4 + i / 50, ece=0.1, best_epoch=1, epochs_run=1, stopped="epochs"
                )
            ],
        )
        for i in range(20)
    ]
    effects = {effect.method: effect for effect in method_effects(trials, 0)}
    assert effects["ocr"].rho == pytest.approx(1) and effects["keyboard"].rho == pytest.approx(-1)
    assert effects["ocr"].low is not None and effects["ocr"].low > 0.9 and effects["ocr"].exposed == 20
    assert all(effect.rho is None for effect in method_effects(trials[:3], 0)), "too few to say"
    page = describe(
        made.bank,
        [*effects.values(), MethodEffect(method="x", trials=1, exposed=0, rho=None, low=None, high=None)],
        {"ocr": 7},
    )
    assert "| ocr | +1.00 | +1.00 to +1.00 | 20 of 20 | 7 |" in page and "1.0 MiB on disk" in page
