"""Train a configuration on the whole development set, with epochs and decision rules from cross-validation."""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np

from lib.agents.agent import Logits, Rules
from lib.evaluation.by_post import fit_post_rule, labelled_post_criterion_pairs
from lib.evaluation.calibration_in_the_large import fit_calibration_in_the_large
from lib.evaluation.ensemble import average_held_out, held_out_predictions, with_usual_policy
from lib.evaluation.saved_model import SavedModel, save_model
from lib.experiment.experiment import Experiment
from lib.files.hashing import derive_seed
from lib.schemas.document import now
from lib.schemas.evaluation import FoldResult, ModelManifest
from lib.settings.hyperparameters import NULL_POLICY, Hyperparameters
from lib.tasks.decision import DecisionRule, load_rules
from lib.tasks.examples import Examples, WeightedSample
from lib.tasks.task import Index

# Pairs on which a refitted model's mean probability is taken; more would take longer than some refits.
_MOST_PAIRS = 10_000


@dataclass(frozen=True)
class FinalRules:
    """The rules with which a final model decides.

    Attributes:
        by_task: The rule of each task.
        for_posts: For whole posts; None for an agent that reads posts, and if unannotated pairs are unknown.
    """

    by_task: Rules
    for_posts: DecisionRule | None

    def dump(self) -> dict[str, Any]:
        """Return both as values that JSON can hold, under the names of `ModelManifest`."""
        return {
            "rules": {task: rule.dump() for task, rule in self.by_task.items()},
            "post_rule": None if self.for_posts is None else self.for_posts.dump(),
        }

    @classmethod
    def mean(cls, found: Sequence[Self]) -> Self:
        """Return the means of rules that were fitted to repeats of a cross-validation."""
        for_posts = [each.for_posts for each in found if each.for_posts is not None]
        return cls(
            {task: DecisionRule.mean([each.by_task[task] for each in found]) for task in found[0].by_task},
            DecisionRule.mean(for_posts) if for_posts else None,
        )

    @classmethod
    def load(cls, rules: Mapping[str, Any], post_rule: Mapping[str, Any] | None) -> Self:
        """Return the rules of a dump.

        Args:
            rules: The rules by task, as `DecisionRule.dump` returns them.
            post_rule: The rule for posts, dumped likewise, or None.

        Returns:
            The rules.
        """
        return cls(load_rules(rules), None if post_rule is None else DecisionRule.load(post_rule))


@dataclass(frozen=True)
class RefitConfig:
    """A training on all examples.

    Attributes:
        params: Hyper-parameters, under the names of the search space.
        schedule_epochs: Epochs for which the learning rate schedule is laid out.
        last_epoch: Epoch after which the training ends.
        rules: The rules with which the model decides afterwards.
        average_rules: The rules of the average of several such models, which averages calibrated probabilities; None
            if it is trained once.
    """

    params: dict[str, Any]
    schedule_epochs: int
    last_epoch: int
    rules: FinalRules
    average_rules: FinalRules | None = None


def refit_config(experiment: Experiment, folds: Sequence[FoldResult]) -> RefitConfig:
    """Return how to train a candidate on all examples, derived from its folds.

    The training lasts as many epochs as those of the folds. The rules are fitted on the held-out logits of the folds
    together. Every development post is thus predicted by models that have not seen it, as in scikit-learn's
    CalibratedClassifierCV with ensemble=False. With repeats they are means over the repeats, each of which predicts
    every post once.

    Args:
        experiment: The agent's experiment; nothing is trained here.
        folds: Results of one candidate on all folds.

    Returns:
        Hyper-parameters, epochs and rules of the refit.
    """
    agent, limits, hyper = experiment.agent, experiment.settings.config.stage_c, Hyperparameters.of(folds[0].params)

    def fit(repeat: Sequence[FoldResult]) -> tuple[FinalRules, FinalRules]:
        index = experiment.examples.indices_of([name for fold in repeat for name in fold.examples])
        logits = agent.concatenate_logits([agent.load_logits(fold.logits) for fold in repeat])
        rules = fit_final_rules(experiment, logits, index, hyper)
        calibrated = agent.average_logits([(logits, agent.rule_values(rules.by_task, experiment.examples, index))])
        return rules, fit_final_rules(experiment, calibrated, index, hyper)

    single, average = zip(*(fit(repeat) for repeat in by_repeat(folds, limits.folds)), strict=True)
    return RefitConfig(
        params=folds[0].params,
        schedule_epochs=experiment.settings.config.training.epochs,
        last_epoch=folds[0].epochs,
        rules=FinalRules.mean(single),
        average_rules=FinalRules.mean(average),
    )


def ensemble_rules(experiment: Experiment, folds: Sequence[FoldResult], picks: Sequence[int]) -> FinalRules:
    """Fit the rules of an ensemble on its held-out predictions; with repeats they are means over the repeats.

    Args:
        experiment: Gives agent and examples.
        folds: Results of the members on all folds.
        picks: The numbers of the candidates, each as often as its weight says.

    Returns:
        The rules.
    """
    by = {(fold.candidate, fold.fold): fold for fold in folds}
    params = {fold.candidate: fold.params for fold in folds}
    hyper = with_usual_policy([Hyperparameters.of(params[pick]) for pick in picks])

    def average(number: int) -> tuple[Logits, Index]:
        members = {pick: held_out_predictions(experiment, by[pick, number]) for pick in set(picks)}
        return average_held_out(experiment, members, picks)

    def fit(repeat: Sequence[FoldResult]) -> FinalRules:
        averages = [average(fold.fold) for fold in repeat]
        logits = experiment.agent.concatenate_logits([own for own, _ in averages])
        return fit_final_rules(experiment, logits, np.concatenate([index for _, index in averages]), hyper)

    first = [fold for fold in folds if fold.candidate == picks[0]]
    return FinalRules.mean([fit(repeat) for repeat in by_repeat(first, experiment.settings.config.stage_c.folds)])


def by_repeat(folds: Sequence[FoldResult], k: int) -> list[list[FoldResult]]:
    """Return the folds of each repeat of a k-fold cross-validation, in order.

    Args:
        folds: The results of the folds, in any number of repeats.
        k: Number of folds in a repeat.

    Returns:
        A list of folds for each repeat.
    """
    numbers = sorted({fold.fold // k for fold in folds})
    return [[fold for fold in folds if fold.fold // k == number] for number in numbers]


def fit_final_rules(experiment: Experiment, logits: Logits, index: Index, hyper: Hyperparameters) -> FinalRules:
    """Fit the rules of a final model on predictions of models that have not seen the examples.

    Args:
        experiment: Gives agent and examples.
        logits: Of n examples, which are all examples of their posts.
        index: (n,) the examples.
        hyper: Gives the null policy.

    Returns:
        The rules by task, and the rule for posts; None for an agent that reads posts, or where unannotated
        pairs have no label.
    """
    agent, examples, names = experiment.agent, experiment.examples, list(experiment.development.criteria)
    rules = agent.fit_rules(logits, examples, WeightedSample.uniform(index), hyper, criteria=names)
    if agent.reads_posts or not experiment.development.unannotated_are_negative:
        return FinalRules(rules, None)
    task = agent.tasks[0].name
    natural = np.flatnonzero(examples.natural[index])
    values = agent.rule_values(rules, examples, index[natural])
    decided = agent.decide(agent.select(logits, natural), values, hyper)[task]
    post_rule = fit_post_rule(labelled_post_criterion_pairs(decided.yes_probability, examples, index[natural]))
    return FinalRules(rules, post_rule.completed(names))


def refit(experiment: Experiment, config: RefitConfig, seeds: int = 1) -> SavedModel:
    """Return the refitted model, with weights from the cache or trained now and kept there.

    A training that was killed is resumed from its checkpoint. The rules are not cached: other folds may fit others to
    the same training. If they do not suit it, their offsets are shifted (`lib.evaluation.calibration_in_the_large`).

    Args:
        experiment: Trains the model.
        config: What to train, and the rules to save with the model.
        seeds: Number of trainings. Several give the average of their calibrated probabilities, whose rules were
            fitted on calibrated probabilities of held-out posts.

    Returns:
        The model, on the experiment's device.

    Raises:
        TrainingFailure: A training gives no result.
    """
    examples = _some_examples(experiment)
    refitted = [_refit_once(experiment, config, number, examples) for number in range(seeds)]
    if seeds == 1:
        return refitted[0][0]
    assert config.average_rules is not None
    members = [model for model, _ in refitted]
    average = _average([f"training-{number}" for number in range(1, seeds + 1)], members, config.params)
    logits = average.average_logits(dict(refitted), examples)
    return _with_rules(experiment, average, config.average_rules, logits, examples)


def refitted_ensemble(
    experiment: Experiment, models: Mapping[int, SavedModel], picks: Sequence[int], rules: FinalRules
) -> SavedModel:
    """Return the weighted average of refitted candidates.

    Args:
        experiment: Gives agent and development pairs.
        models: The refitted candidates, by number.
        picks: The candidates; one that is named twice has twice the weight.
        rules: Rules that were fitted on the average of held-out probabilities.

    Returns:
        The average, which predicts and can be saved as any model.
    """
    examples = _some_examples(experiment)
    policy = with_usual_policy([models[pick].hyper for pick in picks]).null_policy
    params = {**models[picks[0]].manifest.params, NULL_POLICY: policy}
    average = _average([f"candidate-{number}" for number in picks], [models[number] for number in picks], params)
    return _with_rules(experiment, average, rules, average.logits(examples), examples)


def _some_examples(experiment: Experiment) -> Examples:
    """Return development pairs of the main population, on which calibration in the large is checked."""
    known = experiment.examples
    rng = np.random.default_rng(derive_seed(experiment.settings.config.seed, "calibration in the large"))
    return known.select(np.sort(rng.permutation(known.main_population_index())[:_MOST_PAIRS]))


def _average(folders: Sequence[str], models: Sequence[SavedModel], params: dict[str, Any]) -> SavedModel:
    """Return the average of models, with the names of their folders and the rules of the first one."""
    seconds = sum(model.manifest.performance["seconds"] for model in dict.fromkeys(models))
    update = {"members": tuple(folders), "params": params, "performance": {"seconds": round(seconds, 3)}}
    return SavedModel.average(models[0].manifest.model_copy(update=update), models)


def _refit_once(
    experiment: Experiment, config: RefitConfig, repetition: int, examples: Examples
) -> tuple[SavedModel, Logits]:
    """Return a model of one training with its rules, and its logits for some development pairs."""
    key = experiment.train_on_all_key(
        config.params,
        schedule_epochs=config.schedule_epochs,
        last_epoch=config.last_epoch,
        repetition=repetition,
    )
    folder = experiment.results / "cache" / "refits" / experiment.agent.name / key
    if not (folder / ModelManifest.FILE).exists():
        _train(experiment, config, repetition, folder)
    model = SavedModel.load(folder, experiment.device)
    logits = model.logits(examples)
    model = _with_rules(experiment, model, config.rules, logits, examples)
    model.manifest.write(folder / ModelManifest.FILE)
    return model, logits


def _with_rules(
    experiment: Experiment, model: SavedModel, rules: FinalRules, logits: Logits, examples: Examples
) -> SavedModel:
    """Return a model with rules that suit it, from its logits for some development pairs."""
    found, by_task = fit_calibration_in_the_large(experiment.agent, rules.by_task, logits, examples, model.hyper)
    fitted = replace(rules, by_task=by_task)
    return model.with_manifest(model.manifest.model_copy(update={**fitted.dump(), "calibration_in_the_large": found}))


def _train(experiment: Experiment, config: RefitConfig, repetition: int, folder: Path) -> None:
    started, clock = now(), time.perf_counter()
    trained = experiment.train_on_all(
        config.params,
        schedule_epochs=config.schedule_epochs,
        last_epoch=config.last_epoch,
        repetition=repetition,
    )
    manifest = ModelManifest(
        provenance=experiment.provenance(started),
        agent=experiment.agent.name,
        params=config.params,
        **config.rules.dump(),
        population="natural" if experiment.development.unannotated_are_negative else "annotated",
        criteria=experiment.development.criteria,
        trained={
            "epochs": config.last_epoch,
            "of": config.schedule_epochs,
            "examples": len(experiment.examples),
            "annotated": int(experiment.examples.annotated.sum()),
            "posts": len(set(experiment.examples.post_id)),
        },
        performance={**trained.result.performance, "seconds": round(time.perf_counter() - clock, 3)},
    )
    save_model(folder, manifest, trained.model, trained.features, experiment.builder.backbones)


def publish_model(model: SavedModel, folder: Path, card: str) -> None:
    """Write a model and its card to the folder from which it is used, and replace an earlier model.

    Args:
        model: The model.
        folder: Folder to publish it in; an existing one is removed.
        card: The model card, written as README.md.
    """
    staged = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(staged, ignore_errors=True)
    model.write(staged)
    (staged / "README.md").write_text(card, encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    staged.rename(folder)
