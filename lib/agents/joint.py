"""The joint agent: is a criterion met in a post, and where? Two encoders, the label's fused into the evidence's."""

from collections.abc import Sequence

from torch import nn

from lib.agents.posts import PostAgent
from lib.modeling.models import JointModel
from lib.settings.hyperparameters import Hyperparameters
from lib.tasks.label import LabelTask
from lib.tasks.span import SpanTask


class JointAgent(PostAgent):
    """Labels posts and finds spans: both encoders read the same windows of (criterion, post)."""

    name = "joint"
    tasks = (LabelTask(), SpanTask())

    def backbones(self, hyper: Hyperparameters) -> tuple[str, ...]:
        """The evidence encoder, and the criteria encoder."""
        return hyper.backbone, hyper.joint_backbone

    def model(self, encoders: Sequence[nn.Module], cls_token_ids: Sequence[int], hyper: Hyperparameters) -> nn.Module:
        """Return the two encoders with their fusion and heads."""
        evidence, criteria = encoders
        return JointModel(evidence, criteria, hyper, cls_token_ids[1])


AGENT = JointAgent()
