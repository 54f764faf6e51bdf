"""The share agent, which labels posts and finds their evidence with one encoder for both."""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import PairModel
from lib.modeling.tokens import SpecialTokens
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


class ShareAgent(PostAgent):
    """Labels posts and finds spans with one encoder, a label head and a span head."""

    name = "share"
    tasks = (LabelTask(), SpanTask())

    def backbone_names(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """Return the name of the only backbone."""
        return (hyper.backbone,)

    def model(
        self, encoders: Sequence[nn.Module], special: Sequence[SpecialTokens], hyper: Hyperparameters
    ) -> nn.Module:
        """Return a model with a label head and a span head.

        Args:
            encoders: One encoder.
            special: The ids of its cls and sep token.
            hyper: Gives pooling and heads.

        Returns:
            The model.
        """
        return PairModel(encoders[0], hyper, special[0], label=True, span=True)


AGENT = ShareAgent()
