"""Training on augmented texts, in which some words are replaced by "zebra"."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.augmented import augmenting_params, experiment
from support.tiny import params

from lib.settings.hyperparameters import Hyperparameters
from lib.training import engine

pytestmark = pytest.mark.usefixtures("zebra_augmentation")


@pytest.mark.parametrize("agent", ["criteria", "evidence", "joint"])
@pytest.mark.slow
def test_an_epoch_learns_augmented_texts_of_the_training_part_only(agent: str) -> None:
    made = experiment(agent)
    hyper = Hyperparameters.of(augmenting_params(agent))
    _, features = made.builder.model(hyper)
    split = made.splits.development(0)
    augmentation = made.builder.augmentation(hyper, features, split.train, split.name, 0)
    tokens = features.tokens[0]
    first = augmentation.epoch_data(1, last=False)
    again = made.builder.augmentation(hyper, features, split.train, split.name, 0).epoch_data(1, last=True)
    assert torch.equal(first.features.tokens[0].ids, again.features.tokens[0].ids)
    assert first.windows.tolist() == again.windows.tolist() and first.applied == again.applied
    second = augmentation.epoch_data(2, last=True)
    assert second.windows.tolist() != first.windows.tolist()
    for material in (first, second):
        extended = material.features.tokens[0]
        assert torch.equal(extended.ids[: len(tokens.ids)], tokens.ids), "what was there stays"
        assert set(extended.pair[material.windows]) == set(split.train), "every example once, and none of other parts"
        new = material.windows[material.windows >= len(tokens.pair)]
        assert len(new) and not set(extended.pair[new]) & set(extended.pair[np.setdiff1d(material.windows, new)])
        assert material.applied.total() >= len(set(extended.pair[new]))
        assert [len(t.pair) for t in material.features.tokens] == [len(extended.pair)] * len(features.tokens)
        assert len(material.features.targets.label) == len(extended.pair)
        weight = material.features.targets.weight.numpy()
        old = np.arange(len(tokens.pair))
        of_new, of_old = (weight[w].sum() / len(set(extended.pair[w][weight[w] > 0])) for w in (new, old))
        assert of_new == pytest.approx(of_old), "a pair counts as much as without its augmented text"
    zebra_augmentation = set(
        made.builder.backbones.tokenizer("tiny-bert")("zebra", add_special_tokens=False)["input_ids"]
    )
    assert zebra_augmentation <= set(tokens.vocabulary[extended.ids[tokens.offsets[-1] :].numpy()].tolist())


@pytest.mark.parametrize("agent", ["criteria", "evidence"])
@pytest.mark.slow
def test_a_killed_augmented_run_goes_on_bit_for_bit(agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = experiment(agent)
    split = made.splits.development(0)
    whole = made.run(augmenting_params(agent), split, epochs=2)
    assert sum(whole.augmented.values()) > 0 and whole.key != made.run(params(), split, epochs=1).key
    next(Path(f"results/{agent}/runs").glob(f"{whole.key}.json")).unlink()
    learn, epochs = engine._Training._learn, []

    def killed(self, epoch: int) -> float:
        if epoch == 2 and not epochs:
            epochs.append(epoch)
            raise KeyboardInterrupt
        return learn(self, epoch)

    monkeypatch.setattr(engine._Training, "_learn", killed)
    with pytest.raises(KeyboardInterrupt):
        made.run(augmenting_params(agent), split, epochs=2)
    resumed = experiment(agent).run(augmenting_params(agent), split, epochs=2)
    assert resumed.history == whole.history and resumed.augmented == whole.augmented


@pytest.mark.slow
def test_more_windows_than_planned_do_not_overrun_the_schedule() -> None:
    made = experiment("evidence")
    run = made.run(
        augmenting_params("evidence", **{"schedule.name": "one_cycle", "aug.p_apply": 1.0, "data.max_length": 64}),
        made.splits.development(0),
        epochs=2,
    )
    assert len(run.history) == 2
