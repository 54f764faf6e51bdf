"""The criteria agent: does a sentence meet a criterion?"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from lib.agents.base import Agent, Examples
from lib.corpus.store import Development
from lib.metrics.classification import score
from lib.modeling.classifier import PairClassifier
from lib.settings.hyperparameters import Hyperparameters


class CriteriaAgent(Agent):
    """Classifies (criterion text, sentence) pairs: an encoder, a pooling, a classification head."""

    name = "criteria"

    def examples(self, development: Development) -> Examples:
        """Return one example per annotation."""
        rows = development.annotations
        return Examples(
            first=[development.criteria[criterion] for criterion in rows["criterion"]],
            second=rows["sentence"].tolist(),
            label=rows["status"].to_numpy(dtype=np.int64),
            criterion=rows["criterion"].tolist(),
            post_id=rows["post_id"].tolist(),
            row=rows["row"].tolist(),
        )

    def texts(self, development: Development) -> list[str]:
        """Return the annotated sentences, each once."""
        return list(dict.fromkeys(development.annotations["sentence"]))

    def model(self, encoder: nn.Module, hyper: Hyperparameters, cls_token_id: int) -> nn.Module:
        """Return a two-class pair classifier."""
        return PairClassifier(encoder, hyper, cls_token_id, classes=2)

    def loss(self, logits: Tensor, label: Tensor, hyper: Hyperparameters) -> Tensor:
        """Cross entropy with label smoothing."""
        return F.cross_entropy(logits.float(), label, label_smoothing=hyper.label_smoothing, reduction="sum")

    def decode(self, logits: Tensor) -> NDArray[np.float64]:
        """Return the probability of status 1, (n,)."""
        return logits.double().softmax(dim=-1)[:, 1].cpu().numpy()

    def scores(self, prediction: NDArray[np.float64], examples: Examples, index: NDArray[np.int64]) -> dict[str, Any]:
        """Score probabilities as a binary classification."""
        return score(prediction, examples.label[index], [examples.criterion[i] for i in index])


AGENT = CriteriaAgent()
