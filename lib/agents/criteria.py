"""The criteria agent: does a sentence meet a criterion?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from lib.agents.agent import Agent
from lib.modeling.models import PairModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.examples import Examples
from lib.tasks.label import LabelTask

if TYPE_CHECKING:  # pandas takes a second, and the engine does without
    from lib.corpus.store import Part


class CriteriaAgent(Agent):
    """Labels (criterion text, sentence): an encoder, a pooling, a head."""

    name = "criteria"
    tasks = (LabelTask(),)
    reads_posts = False

    def examples(self, part: "Part", *, unannotated: float, seed: int) -> Examples:
        """Return one example per annotation."""
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
        """One encoder."""
        return (hyper.backbone,)

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a labeller."""
        return PairModel(encoders[0], hyper, cls_token_ids[0], label=True, span=False)


AGENT = CriteriaAgent()
