"""The hyper-parameters of one training: what a trial suggests, what the engine reads, nothing else."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Pooling = Literal["cls", "mean", "max", "attention"]
Activation = Literal["gelu", "relu", "silu", "tanh"]
Optimizer = Literal["adamw", "adam", "adafactor", "lion", "lamb", "adamw_8bit"]
Schedule = Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "one_cycle"]
Fusion = Literal["add", "gate", "concat"]
NullPolicy = Literal["none", "threshold", "ratio", "calibrated"]
Rate = Annotated[float, Field(ge=0.0, lt=1.0)]


class Hyperparameters(BaseModel):
    """One point of the search space. The aliases are the names a search space declares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field(alias="model.backbone")
    pooling: Pooling = Field(alias="model.pooling")
    gradient_checkpointing: bool = Field(alias="model.gradient_checkpointing")
    head_layers: int = Field(alias="head.layers", ge=1, le=3)
    head_hidden: int = Field(alias="head.hidden", ge=1)
    head_activation: Activation = Field(alias="head.activation")
    head_dropout: Rate = Field(alias="head.dropout")
    max_length: int = Field(alias="data.max_length", ge=8)
    batch_size: int = Field(alias="optim.batch_size", ge=1)
    accumulation: int = Field(alias="optim.accumulation", ge=1)
    optimizer: Optimizer = Field(alias="optim.name")
    lr: float = Field(alias="optim.lr", gt=0.0, lt=1.0)
    head_lr_factor: float = Field(alias="optim.head_lr_factor", gt=0.0)
    layer_decay: float = Field(alias="optim.layer_decay", gt=0.0, le=1.0)
    weight_decay: Rate = Field(alias="optim.weight_decay")
    ema_decay: Rate = Field(alias="optim.ema_decay")
    clip_norm: float = Field(alias="optim.clip_norm", gt=0.0)
    schedule: Schedule = Field(alias="schedule.name")
    warmup: Rate = Field(alias="schedule.warmup")
    label_smoothing: Rate = Field(alias="loss.label_smoothing")
    span_weight: Rate = Field(alias="loss.span_weight")
    overlap: Rate = Field(alias="data.overlap")
    max_answer: int = Field(alias="span.max_answer", ge=1)
    null_policy: NullPolicy = Field(alias="null_policy.name")
    null_threshold: Rate = Field(alias="null_policy.threshold")
    null_ratio: float = Field(alias="null_policy.ratio", gt=0.0)
    null_temperature: float = Field(alias="null_policy.temperature", gt=0.0)
    joint_backbone: str = Field(alias="joint.backbone")
    joint_fusion: Fusion = Field(alias="joint.fusion")
    joint_dropout: Rate = Field(alias="joint.dropout")

    def params(self) -> dict[str, Any]:
        """Return the point under the names of the search space."""
        return self.model_dump(by_alias=True)


NAMES = tuple(str(field.alias) for field in Hyperparameters.model_fields.values())
