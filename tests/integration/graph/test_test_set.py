"""One command opens the test set, after all training, and each opening is counted."""

import shutil
from collections import Counter
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from scipy.special import logit
from support.tiny import agent_commands, change_settings, tiny_settings

from lib.agents.agent import Rules
from lib.cli.main import main
from lib.corpus.store import open_test_set
from lib.errors import UserError
from lib.evaluation.refit import RefitConfig, publish_model, refit, refit_config
from lib.evaluation.saved_model import WEIGHTS, SavedModel
from lib.evaluation.test_set import evaluate_on_test_set
from lib.experiment.experiment import Experiment
from lib.schemas.corpus import CorpusManifest
from lib.schemas.evaluation import (
    BAG_OF_WORDS,
    DEFAULT,
    MAJORITY,
    Baselines,
    FoldResult,
    StageCResult,
    TestEvaluation,
)
from lib.settings.load import read_settings, save_settings
from lib.training.data import TrainingFailure


def test_the_test_result_compares_the_chosen_model_with_an_ensemble_and_three_baselines(
    copy_of_finished: Path,
) -> None:
    test = TestEvaluation.read("results/criteria/test.json")
    assert [m.name for m in test.models] == ["chosen", "ensemble", DEFAULT, BAG_OF_WORDS, MAJORITY]
    splits = pd.read_parquet("results/corpus/splits.parquet")
    held = set(splits["post_id"][splits["part"] == "test"])
    rows = pd.read_parquet("results/corpus/annotations.parquet")
    rows = rows[rows["post_id"].isin(held)]
    assert len(set(test.examples)) == len(test.truth) == len(test.criteria) == test.sizes["natural"]
    assert {example.split(" ")[0] for example in test.examples} == held
    met = {(row.post_id, row.criterion) for row in rows[rows["status"] == 1].itertuples()}
    true = zip(test.examples, test.criteria, test.truth, strict=True)
    assert {(example.split(" ")[0], criterion) for example, criterion, yes in true if yes} == met
    assert test.sizes["posts"] == test.sizes["groups"] == len(held) and test.sizes["annotated"] == len(rows)
    assert test.sizes["examples"] == test.sizes["natural"] + len(rows) > 5 * len(rows)
    assert test.sizes["positives"] == sum(test.truth)
    for model in test.models:
        assert list(model.intervals) == ["natural", "annotated", "post_criterion", "post"]
        by_post = model.scores["post_criterion"]
        levels = {"natural": model.scores, "annotated": model.scores["annotated"], "post_criterion": by_post}
        for level, scores in {**levels, "post": by_post["post"]}.items():
            intervals = model.intervals[level]
            for name, score in intervals.items():
                assert score["low"] <= score["value"] <= score["high"]
                assert name in ("brier_skill", "criteria_predicted") or 0 <= score["low"] <= score["high"] <= 1
                assert score["value"] == pytest.approx(scores[name])
            assert len(intervals) == (4 if level == "post" else 11 - (scores.get("precision") is None))
        assert set(model.per_criterion) == set(rows[rows["status"] == 1]["criterion"])
        for name, score in model.per_criterion.items():
            assert score["value"] == pytest.approx(model.scores["per_criterion"][name]["f1"])
            assert 0 <= score["low"] <= score["value"] <= score["high"] <= 1
        assert model.f1_macro["value"] == pytest.approx(model.scores["f1_macro"])
        assert model.ece["value"] == pytest.approx(model.scores["ece"])
    for comparison, other in zip(test.against, test.models[1:], strict=True):
        assert comparison.other == other.name
        difference = test.models[0].scores["f1_macro"] - other.scores["f1_macro"]
        assert comparison.f1_macro["value"] == pytest.approx(difference)
        base = other.scores["f1_macro"]
        assert comparison.gain_percent == (pytest.approx(100 * difference / base) if base else None)
        assert set(comparison.per_criterion) == set(rows[rows["status"] == 1]["criterion"])
        assert comparison.levels["natural"] == comparison.f1_macro
        for name, lead in comparison.per_criterion.items():
            own, theirs = (m.scores["per_criterion"][name]["f1"] for m in (test.models[0], other))
            assert lead["value"] == pytest.approx(own - theirs)
            assert 0 < lead["p"] <= lead["p_holm"] <= 1
    gains = [v.gain_percent for v in test.against[1:] if v.gain_percent is not None]
    own, *others = (m.scores["brier_skill"] for m in test.models if m.name != "ensemble")
    assert list(test.targets.values()) == [min(gains) >= 2, own > max(others)]
    texts = pd.read_parquet("results/corpus/posts.parquet")["text"]
    assert not any(text[:25] in Path("results/criteria/test.json").read_text() for text in texts)


def test_every_opening_is_counted_and_nothing_is_fitted_after_it(copy_of_finished: Path, monkeypatch) -> None:
    assert len(TestEvaluation.read("results/criteria/test.json").openings) == 1
    shutil.rmtree("results/cache/refits")
    order = []
    for name in (
        "refit._train",
        "test_set.fit_bag_of_words",
        "test_set.fit_final_rules",
        "test_set.ensemble_rules",
        "test_set.fit_post_rule",
        "test_set.open_test_set",
    ):
        real = getattr(import_module(f"lib.evaluation.{name.split('.')[0]}"), name.split(".")[1])
        monkeypatch.setattr(f"lib.evaluation.{name}", lambda *a, real=real, name=name: order.append(name) or real(*a))
    assert main(["final", "criteria"]) == 0
    assert order.pop() == "test_set.open_test_set"
    result = StageCResult.read("results/criteria/stage_c.json")
    candidates = {result.choice["candidate"], *result.members}
    assert Counter(order) == {
        "refit._train": 2 * len(candidates) + 1,
        "test_set.fit_bag_of_words": 1,
        "test_set.fit_final_rules": 1,
        "test_set.ensemble_rules": 1,
        "test_set.fit_post_rule": 1,
    }
    again = TestEvaluation.read("results/criteria/test.json")
    assert len(again.openings) == 2 and again.openings[0].model == f"candidate {again.chosen['candidate']}"
    shutil.rmtree("results/criteria/model")
    Path("results/criteria/test.json").unlink()
    assert main(["final", "criteria"]) == 0
    assert len(TestEvaluation.read("results/criteria/test.json").openings) == 3, "the ledger is nobody's output"


def test_a_refit_uses_the_given_rules_and_is_trained_once(copy_of_finished: Path, monkeypatch) -> None:
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    folds = [FoldResult.read(path) for path in sorted(Path("results/criteria/stage_c").glob("0-*.json"))]
    config = refit_config(experiment, folds)
    rule = config.rules.by_task["label"]
    hot = replace(rule, temperature=dict.fromkeys(rule.temperature, 3.5))
    other = replace(config.rules, by_task={"label": hot})
    first = refit(experiment, config)
    monkeypatch.setattr("lib.evaluation.refit._train", lambda *_: pytest.fail("trained again"))
    second = refit(experiment, replace(config, rules=other))
    assert_rules(first, config.rules.by_task)
    assert_rules(second, other.by_task)
    assert second.post_rule == config.rules.for_posts


def assert_rules(model: SavedModel, given: Rules) -> None:
    """Check that a model has the given rules, apart from the shift that its manifest names."""
    rule, shift = given["label"], model.manifest.calibration_in_the_large["label"].shift
    offset = {name: pytest.approx(value + shift) for name, value in rule.offset.items()}
    assert asdict(model.rules["label"]) == {**asdict(rule), "offset": offset}


def test_a_refit_whose_logits_lie_elsewhere_does_not_say_yes_to_everything(copy_of_finished: Path) -> None:
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    folds = [FoldResult.read(path) for path in sorted(Path("results/criteria/stage_c").glob("0-*.json"))]
    config = refit_config(experiment, folds)
    rule = config.rules.by_task["label"]
    # The folds' logits could have been lower by ten: their rule adds as much.
    moved = replace(rule, offset={name: value + 10 for name, value in rule.offset.items()})
    model = refit(experiment, replace(config, rules=replace(config.rules, by_task={"label": moved})))
    examples = experiment.examples
    natural = np.flatnonzero(examples.natural)
    probability = model.predict(examples)["label"].probability[natural]
    assert probability.mean() == pytest.approx(examples.label[natural].mean(), abs=1e-4)
    found = model.manifest.calibration_in_the_large["label"]
    assert found.mean_probability > 0.5 and found.shift < -3
    assert "offsets were shifted by -" in found.sentence("natural prevalence")
    assert SavedModel.load(model.folder, experiment.device).rules == model.rules


def test_the_final_model_is_the_average_of_its_trainings(copy_of_finished: Path) -> None:
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    model = SavedModel.load(Path("results/criteria/model"), experiment.device)
    assert len(model.members) == len(TestEvaluation.read("results/criteria/test.json").seeds) == 2
    weights = [load_file(member.folder / WEIGHTS) for member in model.members]
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    examples = experiment.examples.select(np.arange(40))
    alone = [member.predict(examples)["label"].probability for member in model.members]
    assert np.abs(alone[0] - alone[1]).max() > 1e-4
    neutral = model.agent.neutral_rules(list(model.manifest.criteria))
    values = model.agent.rule_values(neutral, examples, np.arange(40))
    mean = model.agent.decide(model.logits(examples), values, model.hyper)["label"].probability
    assert mean == pytest.approx(np.mean(alone, axis=0), abs=1e-6)
    card = Path("results/criteria/model/README.md").read_text()
    assert "2 times with different seeds" in card
    assert "means of 2 trainings, which alone have F1-macro (natural prevalence)" in card


def test_the_ensemble_can_be_delivered_and_predicts_as_it_was_judged(copy_of_finished: Path) -> None:
    """It has one candidate twice, so that candidate has twice the weight."""
    before, result = (kind.read(f"results/criteria/{kind.FILE}") for kind in (TestEvaluation, StageCResult))
    result = result.model_copy(update={"ensemble": {**result.ensemble, "picks": [1, 1, 0]}})
    change_settings(final={"deliver": "ensemble"})
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    folds = [FoldResult.read(path) for path in sorted(Path("results/criteria/stage_c").glob("[0-9]-*.json"))]
    baselines = Baselines.read(f"results/criteria/{Baselines.FILE}")
    model, test = evaluate_on_test_set(experiment, result, folds, baselines, print)
    assert [m.name for m in test.models[:2]] == ["chosen", f"candidate {result.choice['candidate']} alone"]
    assert test.models[1].f1_macro == before.models[0].f1_macro
    assert [each["f1_macro"] for each in test.seeds] == [each["f1_macro"] for each in before.seeds]
    assert result.objective_of(test) == result.ensemble["objective"] != result.objective_of(before)
    publish_model(model, Path("published"), "card")
    folders = sorted(path.name for path in Path("published").iterdir() if path.is_dir())
    assert folders == ["candidate-0", "candidate-1"]
    loaded = SavedModel.load(Path("published"), experiment.device)
    part, _ = open_test_set(Path("results/corpus"), Path("openings.jsonl"), test.openings[0])
    examples = experiment.agent.examples(part).scored()
    own = examples.select(examples.main_population_index())
    predictions = loaded.predict(own)["label"]
    assert predictions.yes.tolist() == test.models[0].answers["label"]["yes"]
    heavy, light = (loaded.members[place].predict(own)["label"].probability for place in (0, 2))
    neutral = loaded.agent.rule_values(
        loaded.agent.neutral_rules(list(loaded.manifest.criteria)), own, np.arange(len(own))
    )
    mean = loaded.agent.decide(loaded.logits(own), neutral, loaded.hyper)["label"].probability
    assert mean == pytest.approx((2 * heavy + light) / 3, abs=1e-6)
    with pytest.raises(UserError, match=r"final\.deliver: 'ensemble' needs stage_c\.ensemble and stage_c"):
        tiny_settings(final={"deliver": "ensemble"}, stage_c={"ensemble": 1})


def test_a_member_of_the_ensemble_that_diverges_does_not_cost_the_chosen_model(
    copy_of_finished: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = StageCResult.read(f"results/criteria/{StageCResult.FILE}")
    other = 1 - result.choice["candidate"]
    entry = next(entry for entry in result.ranking if entry["candidate"] == other)
    result = result.model_copy(update={"ensemble": {**result.ensemble, "picks": [0, 1]}})
    result.write(f"results/criteria/{StageCResult.FILE}")

    def diverge(experiment: Experiment, config: RefitConfig, seeds: int = 1) -> SavedModel:
        if config.params == entry["params"]:
            raise TrainingFailure("the loss is not finite")
        return refit(experiment, config, seeds)

    monkeypatch.setattr("lib.evaluation.test_set.refit", diverge)
    assert main(["final", "criteria"]) == 0
    left_out = f"candidate {other} cannot be trained on all development posts, so the ensemble is left out: the loss"
    assert left_out in capsys.readouterr().err
    test = TestEvaluation.read("results/criteria/test.json")
    assert test.models[0].name == "chosen" and "ensemble" not in {model.name for model in test.models}
    assert test.chosen["ensemble"] == []
    change_settings(final={"deliver": "ensemble"})
    assert main(["final", "criteria"]) == 1
    assert "a training that cannot be left out failed" in capsys.readouterr().err


def test_repeats_of_the_cross_validation_do_not_count_a_sentence_twice(copy_of_finished: Path) -> None:
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    folds = [FoldResult.read(path) for path in sorted(Path("results/criteria/stage_c").glob("0-*.json"))]
    k = experiment.settings.config.stage_c.folds
    once = refit_config(experiment, folds[:k]).rules
    repeated = [fold.model_copy(update={"fold": fold.fold + k}) for fold in folds[:k]]
    twice = refit_config(experiment, [*folds[:k], *repeated]).rules
    assert once.for_posts is not None and twice.for_posts is not None
    for first, second in ((once.by_task["label"], twice.by_task["label"]), (once.for_posts, twice.for_posts)):
        assert second.temperature == pytest.approx(first.temperature) and second.offset == pytest.approx(first.offset)
        assert second.threshold == pytest.approx(first.threshold)


def test_a_model_that_was_evaluated_on_annotated_pairs_decides_as_in_its_evaluation(copy_of_finished: Path) -> None:
    experiment = Experiment(read_settings("results/settings.json"), "criteria", Path("results"))
    model = SavedModel.load(Path("results/criteria/model"), experiment.device)
    logits = model.logits(experiment.examples)
    natural = model.predict(experiment.examples)["label"]
    # The tiny model may give one answer to all examples, so half of the annotated ones are yes.
    median = float(np.median(logit(natural.yes_probability)))
    model.rules["label"] = replace(model.rules["label"], annotated_threshold=median)
    values = model.agent.rule_values(model.rules, experiment.examples, np.arange(len(experiment.examples)))
    assert natural.yes.tolist() == model.agent.decide(logits, values, model.hyper)["label"].yes.tolist()
    model.manifest, model.post_rule = model.manifest.model_copy(update={"population": "annotated"}), None
    predictions = model.predict(experiment.examples)
    expected = model.agent.decide_annotated(logits, values, model.hyper)["label"]
    assert predictions["label"].yes.tolist() == expected.yes.tolist() != natural.yes.tolist()
    posts, _ = model.aggregate_by_post(predictions, experiment.examples)
    assert posts.yes.any() == expected.yes.any()


def test_the_model_folder_is_complete_and_predicts(copy_of_finished: Path, capsys, tmp_path: Path) -> None:
    card = Path("results/criteria/model/README.md").read_text()
    test = TestEvaluation.read("results/criteria/test.json")
    assert "no diagnosis" in card and f"{test.models[0].scores['f1_macro']:.3f}" in card
    corpus = CorpusManifest.read("results/corpus/corpus.json")
    corpus.model_copy(update={"excluded_criteria": ("FATIGUE",)}).write("results/corpus/corpus.json")
    asked = ["predict", "--agent", "criteria", "--post", "I sleep badly.", "--criterion"]
    for name, note in (
        ("FATIGUE", "Left out of all scores (corpus.excluded_criteria): FATIGUE.\n"),
        ("ANHEDONIA", ""),
    ):
        assert main([*asked, name]) == 0 and capsys.readouterr().err == note
    shutil.move("results/criteria/model", tmp_path / "elsewhere")
    shutil.rmtree("results")
    shutil.copytree(tmp_path / "elsewhere", "results/criteria/model")
    post = "I sleep badly. I am always tired. The weather is fine."
    assert main(["predict", "--agent", "criteria", "--post", post]) == 0
    shown = capsys.readouterr().out
    assert len([line for line in shown.splitlines() if line.startswith(("yes", "no "))]) == 9
    pd.DataFrame({"post_id": ["a", "b"], "text": [post, "Hello."]}).to_csv("posts.csv", index=False)
    words = ["predict", "--agent", "criteria", "--csv", "posts.csv"]
    assert main(words) == 1 and "--csv needs --output" in capsys.readouterr().err
    assert main([*words, "--output", "out.csv", "--criterion", "FATIGUE"]) == 0
    assert pd.read_csv("out.csv")["post_id"].tolist() == ["a", "a", "a", "b"]
    assert main([*words, "--output", "out.csv", "--criterion", "FATIGE"]) == 1
    assert "did you mean 'FATIGUE'?" in capsys.readouterr().err
    assert main(["predict", "--agent", "share", "--post", post]) == 1
    assert "results/share/model: holds no model" in capsys.readouterr().err


def test_natural_prevalence_is_withheld_where_annotators_did_not_read_everything(
    copy_of_prepared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = {"trials": 2, "seeds": 1}
    change_settings(
        agents=["criteria"],
        corpus={"unannotated_means": "unknown"},
        objective={"population": "annotated"},
        training={"epochs": 1},
        stage_a=small | {"min_epochs": 1},
        stage_b=small,
        stage_c={"candidates": 1},
        baseline={"seeds": 1},
    )
    # Posts without a row are unknown too, so they count nowhere.
    posts = pd.read_csv("results/generated/posts.csv")
    posts = pd.concat([posts, posts.assign(post_id="x" + posts["post_id"], text=posts["text"].map(str.swapcase))])
    posts.to_csv("results/generated/posts.csv", index=False)
    for command in [
        "corpus --input results/generated",
        *agent_commands("criteria", candidates=1),
        "report criteria",
        "summary",
    ]:
        assert main(command.split()) == 0, command
    test = TestEvaluation.read("results/criteria/test.json")
    assert test.population == "annotated" and test.sizes["natural"] == 0
    splits = pd.read_parquet("results/corpus/splits.parquet")
    held = set(splits["post_id"][splits["part"] == "test"])
    annotated = set(pd.read_parquet("results/corpus/annotations.parquet")["post_id"])
    assert test.sizes["posts"] == len(held & annotated) < len(held)
    assert all(list(model.intervals) == ["annotated"] for model in test.models)
    for page in ("criteria/report.html", "criteria/model/README.md", "summary.md", "summary.html"):
        text = Path("results", page).read_text()
        assert "Figures at natural prevalence are withheld" in text and "F1-macro (natural" not in text, page
    assert "Figures at natural prevalence are withheld" in capsys.readouterr().err
    assert main(["predict", "--agent", "criteria", "--post", "I sleep badly."]) == 0
    shown = capsys.readouterr()
    assert (
        "It predicts yes too often." in shown.err
        and "The decision rules were fitted on annotated pairs." in shown.out
    )


def test_the_baseline_needs_no_bank_where_the_space_augments(copy_of_finished: Path) -> None:
    """The rule of the baseline does not wait for the bank of augmented texts."""
    save_settings(tiny_settings(constraints={"aug.enabled": {"choices": [False, True]}}), "results/settings.json")
    assert main(["baseline", "criteria"]) == 0


def test_baselines_are_scored_on_the_development_set(copy_of_finished: Path) -> None:
    found = Baselines.read("results/criteria/baseline.json")
    assert [entry.name for entry in found.entries] == [MAJORITY, BAG_OF_WORDS, DEFAULT]
    assert all(len(entry.seeds) == 2 for entry in found.entries)
    assert found.params["optim.lr"] == 5e-5 and found.params["optim.batch_size"] == 8
    for seed in found.entries[0].seeds:  # the majority model predicts one class, so the other has an F1 of 0
        assert seed["f1_macro"] == 0 and seed["f1_yes_no"] <= 0.5 and (seed["auroc"] or 0.5) == 0.5
