"""The share agent: is a criterion met in a post, and where? One encoder for both."""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import PairModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


class ShareAgent(PostAgent):
    """Labels posts and finds spans: an encoder and two heads."""

    name = "share"
    tasks = (LabelTask(), SpanTask())

    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """One encoder."""
        return (hyper.backbone,)

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return a labeller and span finder."""
        return PairModel(encoders[0], hyper, cls_token_ids[0], label=True, span=True)


AGENT = ShareAgent()
