"""The hyper-parameters of one training.

This module does without pydantic, because the engine must run where only torch, transformers, numpy, scikit-learn and
the optimizers are installed.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, Literal, Self, get_args, get_origin, get_type_hints

Pooling = Literal["cls", "mean", "max", "attention", "pair"]
Activation = Literal["gelu", "relu", "silu", "tanh"]
Optimizer = Literal["adamw", "adam", "adafactor", "lion", "lamb", "adamw_8bit"]
Schedule = Literal["linear", "cosine", "cosine_with_restarts", "polynomial", "one_cycle"]
Fusion = Literal["add", "gate", "concat"]
NullPolicy = Literal["none", "threshold", "ratio", "calibrated"]
AugmentationStrategy = Literal["all", "nlpaug", "textattack", "custom"]
AntonymGuard = Literal["off", "on_low_weight"]

NULL_POLICY = "null_policy.name"
_LIMITS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "ge": ("at least", operator.ge),
    "gt": ("above", operator.gt),
    "le": ("at most", operator.le),
    "lt": ("below", operator.lt),
}


def _named(name: str, when: "Condition | None" = None, **limits: float) -> dict[str, Any]:
    """Return the metadata of a field: its name in the search space, when it is used, and the limits of its value."""
    return {"name": name, "when": when, "limits": limits}


def _rate(name: str, when: "Condition | None" = None) -> dict[str, Any]:
    return _named(name, when, ge=0, lt=1)


def _share(name: str, when: "Condition | None" = None) -> dict[str, Any]:
    return _named(name, when, ge=0, le=1)


@dataclass(frozen=True)
class Condition:
    """When a hyper-parameter is used: where another one is used and has one of some values."""

    name: str
    values: tuple[Any, ...]


_HIDDEN_LAYERS = Condition("head.layers", (2, 3))
_OWN_WARMUP = Condition("schedule.name", ("linear", "cosine", "cosine_with_restarts", "polynomial"))
_AUGMENTED = Condition("aug.enabled", (True,))
_ANTONYMS = Condition("aug.strategy", ("all", "nlpaug", "custom"))
_WEIGHTED = Condition("aug.strategy", ("custom",))


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """One point of the search space.

    A field with a default is not used by every agent, or only together with certain values of another field.
    """

    backbone: str = field(metadata=_named("model.backbone"))
    pooling: Pooling = field(default="mean", metadata=_named("model.pooling"))
    gradient_checkpointing: bool = field(metadata=_named("model.gradient_checkpointing"))
    head_layers: int = field(metadata=_named("head.layers", ge=1, le=3))
    head_hidden: int = field(default=256, metadata=_named("head.hidden", _HIDDEN_LAYERS, ge=1))
    head_activation: Activation = field(default="tanh", metadata=_named("head.activation", _HIDDEN_LAYERS))
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
    warmup: float = field(default=0.0, metadata=_rate("schedule.warmup", _OWN_WARMUP))
    label_smoothing: float = field(metadata=_rate("loss.label_smoothing"))
    positive_weight: float = field(metadata=_named("loss.positive_weight", gt=0))
    focal_gamma: float = field(metadata=_named("loss.focal_gamma", ge=0))
    span_weight: float = field(default=0.5, metadata=_rate("loss.span_weight"))
    overlap: float = field(default=0.25, metadata=_rate("data.overlap"))
    max_answer: int = field(default=30, metadata=_named("span.max_answer", ge=1))
    joint_backbone: str = field(default="", metadata=_named("joint.backbone"))
    joint_fusion: Fusion = field(default="concat", metadata=_named("joint.fusion"))
    joint_dropout: float = field(default=0.0, metadata=_rate("joint.dropout"))
    augment: bool = field(metadata=_named("aug.enabled"))
    p_apply: float = field(default=0.0, metadata=_share("aug.p_apply", _AUGMENTED))
    ops_per_sample: int = field(default=1, metadata=_named("aug.ops_per_sample", _AUGMENTED, ge=1, le=3))
    max_replace: float = field(default=0.1, metadata=_named("aug.max_replace", _AUGMENTED, gt=0, le=1))
    antonym_guard: AntonymGuard = field(default="off", metadata=_named("aug.antonym_guard", _ANTONYMS))
    augmentation_strategy: AugmentationStrategy = field(default="all", metadata=_named("aug.strategy", _AUGMENTED))
    weight_keyboard: float = field(default=1.0, metadata=_share("aug.weight_keyboard", _WEIGHTED))
    weight_ocr: float = field(default=1.0, metadata=_share("aug.weight_ocr", _WEIGHTED))
    weight_random_char: float = field(default=1.0, metadata=_share("aug.weight_random_char", _WEIGHTED))
    weight_random_word: float = field(default=1.0, metadata=_share("aug.weight_random_word", _WEIGHTED))
    weight_reserved: float = field(default=1.0, metadata=_share("aug.weight_reserved", _WEIGHTED))
    weight_spelling: float = field(default=1.0, metadata=_share("aug.weight_spelling", _WEIGHTED))
    weight_split: float = field(default=1.0, metadata=_share("aug.weight_split", _WEIGHTED))
    weight_synonym: float = field(default=1.0, metadata=_share("aug.weight_synonym", _WEIGHTED))
    weight_antonym: float = field(default=1.0, metadata=_share("aug.weight_antonym", _WEIGHTED))
    weight_tfidf: float = field(default=1.0, metadata=_share("aug.weight_tfidf", _WEIGHTED))
    weight_char_swap: float = field(default=1.0, metadata=_share("aug.weight_char_swap", _WEIGHTED))
    weight_deletion: float = field(default=1.0, metadata=_share("aug.weight_deletion", _WEIGHTED))
    weight_swap: float = field(default=1.0, metadata=_share("aug.weight_swap", _WEIGHTED))
    weight_synonym_insertion: float = field(default=1.0, metadata=_share("aug.weight_synonym_insertion", _WEIGHTED))
    weight_easy_data: float = field(default=1.0, metadata=_share("aug.weight_easy_data", _WEIGHTED))
    weight_checklist: float = field(default=1.0, metadata=_share("aug.weight_checklist", _WEIGHTED))
    weight_wordnet: float = field(default=1.0, metadata=_share("aug.weight_wordnet", _WEIGHTED))
    # Decided after training, so it is no dimension of a search.
    null_policy: NullPolicy = field(default="threshold", metadata=_named(NULL_POLICY))

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """Return the point with these values, which are named as in the search space.

        Parameters that the others leave unused, and those of other agents, may be missing.

        Raises:
            ValueError: A name is missing or unknown, or a value is not possible.
        """
        missing = [name for name in NAMES if name not in params and _is_needed(name, params)]
        if wrong := sorted([*missing, *(params.keys() - set(NAMES))]):
            raise ValueError(f"missing or unknown hyper-parameters: {', '.join(wrong)}")
        for name, value in params.items():
            for problem in value_problems(name, value):
                raise ValueError(f"{name}: {problem}")
        return cls(**{_FIELDS[name].name: value for name, value in params.items()})

    def weight(self, method: str) -> float:
        """Return the weight of an augmentation method."""
        return float(getattr(self, f"weight_{method}"))

    def params(self) -> dict[str, Any]:
        """Return the values that the others do not leave unused, named as in the search space."""
        values = asdict(self)
        named = {name: values[described.name] for name, described in _FIELDS.items()}
        return {name: value for name, value in named.items() if is_used(name, named)}


_FIELDS = {str(described.metadata["name"]): described for described in fields(Hyperparameters)}
_TYPES = {name: get_type_hints(Hyperparameters)[described.name] for name, described in _FIELDS.items()}
NAMES = tuple(_FIELDS)
SEARCHED = tuple(name for name in NAMES if name != NULL_POLICY)


def condition(name: str) -> Condition | None:
    """Return when a hyper-parameter is used; None if it does not depend on another one."""
    described = _FIELDS.get(name)
    return None if described is None else described.metadata["when"]


def is_used(name: str, params: Mapping[str, Any]) -> bool:
    """Return whether the other hyper-parameters leave a use for one.

    Args:
        name: One of NAMES, as in the search space.
        params: Values of hyper-parameters, at least of those that are used.

    Returns:
        Whether its value makes a difference, if the agent uses it at all.
    """
    when = condition(name)
    return when is None or (is_used(when.name, params) and params.get(when.name) in when.values)


def _is_needed(name: str, params: Mapping[str, Any]) -> bool:
    optional = _FIELDS[name].default is not MISSING
    return is_used(name, params) and not (optional and condition(name) is None)


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
