"""Compare a model's mean probability with the prevalence (calibration in the large), and correct a gross difference.

The rules of a final model are fitted on the logits of the folds' models. They suit the model that was trained on all
examples only if its logits lie where the folds' lie. If a model has learned next to nothing, its logits depend on
where its training ended, and a small temperature makes a small difference large.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

from lib.agents.agent import Agent, Logits, Rules
from lib.schemas.evaluation import CalibrationInTheLarge
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples

# Ratio of the odds of mean probability and prevalence, in either direction, from which the rules are corrected.
# Trained models have 0.9 to 1.6 (docs/decisions); they learned from the examples, so that it is not exactly 1.
_ODDS_RATIO = 2.0
_GREATEST_SHIFT = 60.0


def fit_calibration_in_the_large(
    agent: Agent, rules: Rules, logits: Logits, examples: Examples, hyper: Hyperparameters
) -> tuple[dict[str, CalibrationInTheLarge], Rules]:
    """Shift the offsets of each task for which the odds of mean probability and prevalence differ more than twofold.

    Args:
        agent: Gives the tasks.
        rules: The rules by task.
        logits: The model's logits of the examples, by task.
        examples: Examples of the population that the rules were fitted for.
        hyper: Gives the null policy.

    Returns:
        What was found for each task, and the rules, shifted where necessary. A shifted rule gives the prevalence as
        mean probability (calibration in the large; Steyerberg, Clinical Prediction Models, 2019).
    """
    index = np.arange(len(examples))
    predictions = agent.decide(logits, agent.rule_values(rules, examples, index), hyper)
    found, shifted = {}, dict(rules)
    for task in agent.tasks:
        probability = predictions[task.name].yes_probability
        prevalence = float(task.truth(examples, index).mean())
        shift = shift_to_prevalence(probability, prevalence)
        found[task.name] = CalibrationInTheLarge(
            mean_probability=float(probability.mean()), prevalence=prevalence, shift=round(shift, 6)
        )
        rule = rules[task.name]
        shifted[task.name] = replace(rule, offset={name: value + shift for name, value in rule.offset.items()})
    return found, shifted


def shift_to_prevalence(probability: NDArray[np.float64], prevalence: float) -> float:
    """Return what to add to the log odds so that their mean probability is the prevalence.

    Args:
        probability: (n,) the calibrated probabilities.
        prevalence: Share of positives among them.

    Returns:
        0 if the odds of the two are within a factor of two, or if there is only one class.
    """
    clipped = np.clip(probability, 1e-12, 1 - 1e-12)
    if not 0 < prevalence < 1 or abs(logit(clipped.mean()) - logit(prevalence)) <= np.log(_ODDS_RATIO):
        return 0.0
    odds = logit(clipped)
    return float(
        brentq(lambda shift: float(expit(odds + shift).mean()) - prevalence, -_GREATEST_SHIFT, _GREATEST_SHIFT)
    )
