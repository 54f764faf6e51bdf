from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.planted import corpus, prepare_training
from support.training import CPU, fetch_tiny, model_and_data, params

from lib.settings.hyperparameters import Hyperparameters
from lib.training.data import TrainingFailure
from lib.training.inference import predict_logits


@pytest.mark.parametrize("architecture", ["bert", "convbert", "xlnet"])
def test_predictions_do_not_depend_on_what_else_is_in_a_batch(experiment, architecture: str) -> None:
    name = fetch_tiny(architecture)
    model, training_data = model_and_data(experiment, Hyperparameters.of(params(**{"model.backbone": name})))
    some = training_data.validation.index[:12]
    together = predict_logits(
        model, training_data.agent, training_data.features, training_data.validation.index, training_data.hyper, CPU
    )["label"][:12]
    alone = [
        predict_logits(model, training_data.agent, training_data.features, some[i : i + 1], training_data.hyper, CPU)[
            "label"
        ][0]
        for i in range(12)
    ]
    assert np.allclose(together, alone, rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("planted")


def test_the_memory_for_a_post_does_not_grow_with_its_length(folder: Path) -> None:
    """In a post of 7,000 words, each window keeps ten spans, and so does the post."""
    long = corpus(4)
    text = " ".join([*["we went home ."] * 1750, long.posts["text"][0]])
    posts = long.posts.assign(text=[text, *long.posts["text"][1:]])
    shift = len(text) - len(long.posts["text"][0])
    rows = long.annotations
    first = rows["post_id"] == "p0000"
    moved = rows.assign(start=rows["start"] + shift * first, end=rows["end"] + shift * first)
    model, training_data = prepare_training(folder, "evidence", replace(long, posts=posts, annotations=moved))
    assert len(training_data.features.windows(np.array([0]))) > 150
    sizes: list[int] = []
    read = type(training_data.agent).window_logits

    def watched(*arguments: object) -> dict[str, torch.Tensor]:
        rows = read(*arguments)  # type: ignore[arg-type]
        sizes.extend(value.shape[1] for value in rows.values())
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(training_data.agent), "window_logits", watched)
        logits = predict_logits(
            model, training_data.agent, training_data.features, np.array([0]), training_data.hyper, CPU
        )["span"][0]
    assert set(sizes) == {10} and len(logits) == 10
    assert all(text[start:end].strip() == text[start:end] for start, end, _ in logits)


def test_outputs_that_are_not_numbers_are_a_failed_training(experiment) -> None:
    model, data = model_and_data(experiment, Hyperparameters.of(params()))
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(TrainingFailure, match="not numbers"):
        predict_logits(model, data.agent, data.features, data.validation.index[:4], data.hyper, CPU)
