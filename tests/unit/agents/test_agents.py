"""What no fake passes: agents learn what they claim to, from the texts they claim to read."""

import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from conftest import ROOT, params
from planted import CHOSEN, CPU, CRITERIA, corpus, teach
from scipy.special import expit
from torch import nn

from lib.agents import AGENTS, get_agent
from lib.agents.base import Answers
from lib.agents.posts import PostAgent
from lib.modeling.backbones import Backbones
from lib.modeling.models import PairModel
from lib.settings.config import Architecture
from lib.settings.hyperparameters import Fusion, Hyperparameters, Pooling
from lib.tasks.base import Index
from lib.tasks.label import LabelTask
from lib.training.engine import train
from lib.training.features import make_features
from lib.training.lesson import Lesson
from lib.training.prediction import predict

POSTS, EPOCHS = 200, 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


@pytest.fixture(scope="module", params=AGENTS)
def taught(request: pytest.FixtureRequest, folder: Path) -> tuple[nn.Module, Lesson, float]:
    """An agent that has learnt the planted corpus, and its F1 on posts it has not seen."""
    model, lesson = teach(folder, request.param, corpus(POSTS))
    outcome = train(
        model,
        lesson,
        CPU,
        epochs=EPOCHS,
        patience=EPOCHS,
        seed=0,
        keep_best=True,
        on_epoch=lambda _, best: best >= 0.99,  # more would teach it nothing
    )
    return model, lesson, outcome.scores["f1_macro"]


def answers(model: nn.Module, lesson: Lesson, index: Index) -> Answers:
    return lesson.agent.answer(predict(model, lesson, index, CPU), lesson.examples, index, lesson.hyper)


def test_it_learns(taught: tuple[nn.Module, Lesson, float]) -> None:
    assert taught[2] >= 0.95


def test_swapping_the_criterion_changes_the_answer(taught: tuple[nn.Module, Lesson, float], folder: Path) -> None:
    """The same texts under the other criterion: where just one criterion is met, the answer turns round."""
    model, lesson, _ = taught
    examples, texts = lesson.examples, list(CRITERIA.values())
    other = replace(examples, first=[texts[1 - texts.index(text)] for text in examples.first])
    features = make_features(lesson.agent, other, lesson.hyper, Backbones(folder), folder / "cache")
    assert all(
        np.array_equal(a.vocabulary, b.vocabulary)
        for a, b in zip(features.tokens, lesson.features.tokens, strict=True)
    )
    swapped = replace(lesson, examples=other, features=features)
    evidence = {"FRUIT": "apple", "WEATHER": "storm"}
    words = [[name for name, word in evidence.items() if word in text] for text in examples.second]
    one = np.array([i for i in lesson.stop if len(words[i]) == 1])
    before, after = answers(model, lesson, one), answers(model, swapped, one)
    for task in lesson.agent.tasks:
        truth = np.array([words[i] == [examples.criterion[i]] for i in one])
        assert (before[task.name].yes == truth).mean() > 0.9
        assert (after[task.name].yes == ~truth).mean() > 0.9
    if "span" not in before:
        return
    both = np.array([i for i in lesson.stop if len(words[i]) == 2])
    for asked, given in ((lesson, answers(model, lesson, both)), (swapped, answers(model, swapped, both))):
        found = [
            evidence["FRUIT" if asked.examples.first[i] == CRITERIA["FRUIT"] else "WEATHER"]
            in asked.examples.second[i][slice(*spans[0][:2])]
            for i, spans in zip(both, given["span"].candidates, strict=True)
        ]
        assert np.mean(found) > 0.9


@pytest.mark.parametrize("name", AGENTS)
def test_shuffled_labels_are_chance_on_new_posts(name: str, folder: Path) -> None:
    development = corpus(POSTS)
    rows = development.annotations
    known = (rows["post_id"] < f"p{int(0.75 * POSTS):04d}").to_numpy()
    status = rows["status"].to_numpy().copy()
    status[known] = np.random.default_rng(0).permutation(status[known])
    model, lesson = teach(folder, name, replace(development, annotations=rows.assign(status=status)))
    outcome = train(model, lesson, CPU, epochs=12, patience=12, seed=0)
    # Always "none" gets 0.55 of spans right.
    assert np.mean([entry["f1_macro"] for entry in outcome.history[-6:]]) < 0.62


@pytest.mark.parametrize("name", AGENTS)
def test_it_overfits_32_examples(name: str, folder: Path) -> None:
    model, lesson = teach(folder, name, corpus(60), **{"optim.batch_size": 4})
    few = lesson.train[:32]
    assert 0.2 < lesson.examples.label[few].mean() < 0.8
    few_only = replace(lesson, train=few, stop=few)
    outcome = train(model, few_only, CPU, epochs=120, patience=120, seed=0, on_epoch=lambda _, best: best >= 0.95)
    assert outcome.scores["f1_macro"] >= 0.95


@pytest.mark.parametrize("name", AGENTS)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_it_runs_on_every_architecture_and_packing_changes_nothing(
    name: str, architecture: Architecture, folder: Path
) -> None:
    development = corpus(12)
    for pooling in get_args(Pooling):
        model, lesson = teach(
            folder, name, development, first=architecture, second="roberta", **{"model.pooling": pooling}
        )
        index = np.arange(5)
        together = predict(model, lesson, index, CPU)
        alone = [predict(model, lesson, np.array([i]), CPU) for i in index]
        for task in lesson.agent.tasks:
            rows = [together[task.name]] + [reading[task.name] for reading in alone]
            chances = [task.probability(task.answer(row, np.ones(len(row)), lesson.hyper)) for row in rows]
            # transformers' ConvBERT convolves over padding.
            tolerance = 0.1 if architecture == "convbert" else 1e-4
            assert np.allclose(chances[0], np.concatenate(chances[1:]), atol=tolerance), pooling
    outcome = train(model, lesson, CPU, epochs=1, patience=1, seed=0)
    assert 0 <= outcome.scores["f1_macro"] <= 1 and np.isfinite(outcome.history[0]["loss"])


@pytest.mark.parametrize("fusion", get_args(Fusion))
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_fusion_carries_the_criteria_vector_into_the_evidence(
    fusion: Fusion, architecture: Architecture, folder: Path
) -> None:
    """Two encoders with tokenizers of their own; another criteria vector changes the span logits."""
    second: Architecture = "bert" if architecture == "roberta" else "roberta"
    model, lesson = teach(folder, "joint", corpus(12), first=architecture, second=second, **{"joint.fusion": fusion})
    own, other = lesson.features.tokens
    assert len(own.vocabulary) != len(other.vocabulary) and len(own.pair) == len(other.pair)
    inputs, _, _ = lesson.features.batch(np.arange(4))
    model.eval()
    with torch.no_grad():
        before = model(*inputs)
        model.align[0].bias += torch.linspace(-1, 1, len(model.align[0].bias))
        after = model(*inputs)
    assert before["start"].shape == inputs[0]["input_ids"].shape and before["label"].shape == (4, 2)
    assert torch.equal(before["label"], after["label"])
    assert not torch.allclose(before["start"], after["start"], atol=1e-4)


def test_pairs_are_annotated_or_drawn_and_lost_evidence_is_left_out() -> None:
    development = corpus(30)
    rows = development.annotations.copy()
    rows = rows[~((rows["post_id"] == "p0003") & (rows["criterion"] == "FRUIT"))]
    met = rows.query("status == 1").iloc[0]
    rows.loc[(rows["post_id"] == met["post_id"]) & (rows["criterion"] == met["criterion"]), ["start", "end"]] = -1
    changed = replace(development, annotations=rows)
    agent = get_agent("evidence")
    plain = agent.examples(changed, unannotated=0.0, seed=0)
    assert len(plain) == 60 - 1 - 1
    assert f"{met['post_id']} {met['criterion']}" not in plain.ids and "p0003 FRUIT" not in plain.ids
    drawn = agent.examples(changed, unannotated=0.5, seed=0)
    assert len(drawn) == len(plain) + 1
    place = drawn.ids.index("p0003 FRUIT")
    assert drawn.label[place] == 0 and drawn.answers[place] == []
    for text, spans, label in zip(drawn.second, drawn.answers, drawn.label, strict=True):
        assert bool(spans) == bool(label)
        assert all(text[slice(*span)] in {"there was an apple .", "there was a storm ."} for span in spans)


def test_a_temperature_is_fitted_on_other_posts() -> None:
    """Overconfident on one half of the posts: that half's temperature comes from the other, and the reverse."""
    agent = get_agent("criteria")
    examples = agent.examples(corpus(40), unannotated=0.0, seed=0)
    index = np.arange(len(examples))
    order = {post: place for place, post in enumerate(sorted(set(examples.post_id)))}
    half = np.array([order[post] % 2 for post in examples.post_id])
    noise = np.random.default_rng(0).normal(0, 1, len(index))
    odds = (2.0 * examples.label - 1 + noise) * np.where(half == 0, 10, 1)
    hyper = Hyperparameters.of(params(**CHOSEN | {"null_policy.name": "calibrated"}))
    crossed = agent.answer({"label": odds}, examples, index, hyper)["label"].probability
    hot = agent.tasks[0].fit_temperature(odds[half == 0], examples, index[half == 0])
    cool = agent.tasks[0].fit_temperature(odds[half == 1], examples, index[half == 1])
    assert hot > 3 * cool
    assert np.allclose(crossed, expit(odds / np.where(half == 0, cool, hot)))
    fixed = agent.answer({"label": odds}, examples, index, hyper, {"label": hot})
    assert np.allclose(fixed["label"].probability, expit(odds / hot))


def test_the_fifth_agent_of_the_docs_works(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", (ROOT / "docs/agents.md").read_text(), re.DOTALL)
    assert block is not None
    names: dict[str, object] = {"PostAgent": PostAgent, "LabelTask": LabelTask, "PairModel": PairModel}
    exec(block.group(1), names)
    monkeypatch.setattr("planted.get_agent", lambda _: names["AGENT"])
    model, lesson = teach(folder, "triage", corpus(40))
    outcome = train(model, lesson, CPU, epochs=2, patience=2, seed=0)
    assert outcome.scores["confusion"] and len(outcome.history) == 2


def test_a_posts_memory_does_not_grow_with_its_length(folder: Path) -> None:
    """A post of 7,000 words: its windows leave ten spans each behind, and the example ten."""
    long = corpus(4)
    text = " ".join([*["we went home ."] * 1750, long.posts["text"][0]])
    posts = long.posts.assign(text=[text, *long.posts["text"][1:]])
    shift = len(text) - len(long.posts["text"][0])
    rows = long.annotations
    first = rows["post_id"] == "p0000"
    moved = rows.assign(start=rows["start"] + shift * first, end=rows["end"] + shift * first)
    model, lesson = teach(folder, "evidence", replace(long, posts=posts, annotations=moved))
    assert len(lesson.features.windows(np.array([0]))) > 150
    sizes: list[int] = []
    read = type(lesson.agent).read

    def watched(*arguments: object) -> dict[str, torch.Tensor]:
        rows = read(*arguments)  # type: ignore[arg-type]
        sizes.extend(value.shape[1] for value in rows.values())
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(lesson.agent), "read", watched)
        reading = predict(model, lesson, np.array([0]), CPU)["span"][0]
    assert set(sizes) == {10} and len(reading) == 10
    assert all(text[start:end].strip() == text[start:end] for start, end, _ in reading)
