"""The hyper-parameters of one training.

This module does without pydantic, because the engine must run where only torch, transformers, numpy, scikit-learn and
the optimizers are installed.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

Pooling = Literal["cls", "mean", "max", "attention", "pair"]
Activation = Literal["gelu", "relu", "silu", "tanh"]
Optimizer = Literal["adamw", "adam", "adafactor", "lion", "lamb", "adamw_8bit"]
Schedule = Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "one_cycle"]
Fusion = Literal["add", "gate", "concat"]
NullPolicy = Literal["none", "threshold", "ratio", "calibrated"]
AugmentationStrategy = Literal["all", "nlpaug", "textattack", "custom"]
AntonymGuard = Literal["off", "on_low_weight"]

_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("at least", operator.ge),
    "gt": ("above", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("below", operator.lt),
}


def _named(name: str, **limits: float) -> dict[str, Any]:
    """Return the metadata of a field, which are its name in the search space and the limits of its value."""
    return {"name": name, "limits": limits}


def _rate(name: str) -> dict[str, Any]:
    return _named(name, ge=0, lt=1)


def _share(name: str) -> dict[str, Any]:
    return _named(name, ge=0, le=1)


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One point of the search space."""

    backbone: str = field(metadata=_named("model.backbone"))
    pooling: Pooling = field(metadata=_named("model.pooling"))
    gradient_checkpointing: bool = field(metadata=_named("model.gradient_checkpointing"))
    head_layers: int = field(metadata=_named("head.layers", ge=1, le=3))
    head_hidden: int = field(metadata=_named("head.hidden", ge=1))
    head_activation: Activation = field(metadata=_named("head.activation"))
    head_dropout: float = field(metadata=_rate("head.dropout"))
    unannotated: float = field(metadata=_named("data.unannotated", ge=0))
    max_length: int = field(metadata=_named("data.max_length", ge=8))
    batch_size: int = field(metadata=_named("optim.batch_size", ge=1))
    accumulation: int = field(metadata=_named("optim.accumulation", ge=1))
    optimizer: Optimizer = field(metadata=_named("optim.name"))
    lr: float = field(metadata=_named("optim.lr", gt=0, lt=1))
    head_lr_factor: float = field(metadata=_named("optim.head_lr_factor", gt=0))
    layer_decay: float = field(metadata=_named("optim.layer_decay", gt=0, le=1))
    weight_decay: float = field(metadata=_rate("optim.weight_decay"))
    ema_decay: float = field(metadata=_rate("optim.ema_decay"))
    clip_norm: float = field(metadata=_named("optim.clip_norm", gt=0))
    schedule: Schedule = field(metadata=_named("schedule.name"))
    warmup: float = field(metadata=_rate("schedule.warmup"))
    label_smoothing: float = field(metadata=_rate("loss.label_smoothing"))
    positive_weight: float = field(metadata=_named("loss.positive_weight", gt=0))
    focal_gamma: float = field(metadata=_named("loss.focal_gamma", ge=0))
    span_weight: float = field(metadata=_rate("loss.span_weight"))
    overlap: float = field(metadata=_rate("data.overlap"))
    max_answer: int = field(metadata=_named("span.max_answer", ge=1))
    null_policy: NullPolicy = field(metadata=_named("null_policy.name"))
    joint_backbone: str = field(metadata=_named("joint.backbone"))
    joint_fusion: Fusion = field(metadata=_named("joint.fusion"))
    joint_dropout: float = field(metadata=_rate("joint.dropout"))
    augment: bool = field(metadata=_named("aug.enabled"))
    p_apply: float = field(metadata=_share("aug.p_apply"))
    ops_per_sample: int = field(metadata=_named("aug.ops_per_sample", ge=1, le=3))
    max_replace: float = field(metadata=_named("aug.max_replace", gt=0, le=1))
    antonym_guard: AntonymGuard = field(metadata=_named("aug.antonym_guard"))
    augmentation_strategy: AugmentationStrategy = field(metadata=_named("aug.strategy"))
    weight_keyboard: float = field(metadata=_share("aug.weight_keyboard"))
    weight_ocr: float = field(metadata=_share("aug.weight_ocr"))
    weight_random_char: float = field(metadata=_share("aug.weight_random_char"))
    weight_random_word: float = field(metadata=_share("aug.weight_random_word"))
    weight_reserved: float = field(metadata=_share("aug.weight_reserved"))
    weight_spelling: float = field(metadata=_share("aug.weight_spelling"))
    weight_split: float = field(metadata=_share("aug.weight_split"))
    weight_synonym: float = field(metadata=_share("aug.weight_synonym"))
    weight_antonym: float = field(metadata=_share("aug.weight_antonym"))
    weight_tfidf: float = field(metadata=_share("aug.weight_tfidf"))
    weight_char_swap: float = field(metadata=_share("aug.weight_char_swap"))
    weight_deletion: float = field(metadata=_share("aug.weight_deletion"))
    weight_swap: float = field(metadata=_share("aug.weight_swap"))
    weight_synonym_insertion: float = field(metadata=_share("aug.weight_synonym_insertion"))
    weight_easy_data: float = field(metadata=_share("aug.weight_easy_data"))
    weight_checklist: float = field(metadata=_share("aug.weight_checklist"))
    weight_wordnet: float = field(metadata=_share("aug.weight_wordnet"))

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Return the point with these values, which are named as in the search space.

        Raises:
            ValueError: A name is missing or unknown, or a value is not possible.
        """
        if wrong := sorted(params.keys() ^ set(NAMES)):
            raise ValueError(f"missing or unknown hyper-parameters: {', '.join(wrong)}")
        for name, value in params.items():
            for problem in value_problems(name, value):
                raise ValueError(f"{name}: {problem}")
        return cls(**{_FIELDS[name].name: value for name, value in params.items()})

    def weight(self, method: str) -> float:
        """Return the weight of an augmentation method."""
        return float(getattr(self, f"weight_{method}"))

    def params(self) -> dict[str, Any]:
        """Return the values, named as in the search space."""
        values = asdict(self)
        return {name: values[described.name] for name, described in _FIELDS.items()}


_FIELDS = {str(described.metadata["name"]): described for described in fields(Hyperparameters)}
_TYPES = {name: get_type_hints(Hyperparameters)[described.name] for name, described in _FIELDS.items()}
NAMES = tuple(_FIELDS)


def is_integer(name: str) -> bool:
    """Return whether a hyper-parameter is a whole number."""
    return _TYPES[name] is int


def value_problems(name: str, value: Any) -> Iterator[str]:
    """Yield why the engine cannot accept a value of a hyper-parameter.

    Args:
        name: One of NAMES, as in the search space.
        value: The value to check.

    Yields:
        A line for each problem; none if the value is possible.
    """
    expected = _TYPES[name]
    if get_origin(expected) is Literal:
        if value not in get_args(expected):
            yield f"{value!r} is not possible: expected one of {', '.join(get_args(expected))}"
        return
    kinds = (int, float) if expected is float else (expected,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and expected is not bool):
        kind = "a number" if expected is float else f"type {expected.__name__}"
        yield f"{value!r} is not possible: expected {kind}"
        return
    for limit, bound in _FIELDS[name].metadata["limits"].items():
        words, holds = _LIMITS[limit]
        if not holds(value, bound):
            yield f"{value!r} is not possible: must be {words} {bound}"
