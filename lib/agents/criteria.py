"""The criteria agent, which decides whether a sentence meets a criterion."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from lib.agents.agent import Agent
from lib.modeling.models import PairModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples
from lib.tasks.label import LabelTask

if TYPE_CHECKING:  # importing pandas takes a second, and the engine does not need it
    from lib.corpus.store import Part


class CriteriaAgent(Agent):
    """Labels (criterion text, sentence) pairs with one encoder, a pooling and a label head."""

    name = "criteria"
    tasks = (LabelTask(),)
    reads_posts = False

    def examples(self, part: "Part", *, unannotated: float, seed: int) -> Examples:
        """Return one example per annotation.

        Args:
            part: The development set or the test set.
            unannotated: Not used, since the examples are the annotated sentences.
            seed: Not used.

        Returns:
            The examples.
        """
        rows = part.annotations
        return Examples(
            first=[part.criteria[criterion] for criterion in rows["criterion"]],
            second=rows["sentence"].tolist(),
            label=rows["status"].to_numpy(dtype=np.int64),
            answers=[[] for _ in range(len(rows))],
            criterion=rows["criterion"].tolist(),
            post_id=rows["post_id"].tolist(),
            ids=[f"row {row}" for row in rows["row"]],
        )

    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of the only backbone."""
        return (hyper.backbone,)

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a model with a label head.

        Args:
            encoders: One encoder.
            cls_token_ids: The id of its cls token.
            hyper: Gives pooling and head.

        Returns:
            The model.
        """
        return PairModel(encoders[0], hyper, cls_token_ids[0], label=True, span=False)


AGENT = CriteriaAgent()
