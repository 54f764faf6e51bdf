"""Define the search space by a type and a range for every hyper-parameter, and constraints that narrow them."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal, Self, cast

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from lib.errors import did_you_mean
from lib.pydantic_base import FrozenSchema, StrictSchema
from lib.settings.hyperparameters import (
    NULL_POLICY,
    SEARCHED,
    AugmentationStrategy,
    Condition,
    Optimizer,
    condition,
    is_integer,
    is_used,
    value_problems,
)

Value = str | int | float | bool
# The parameters whose choices are backbones.
BACKBONES = ("model.backbone", "joint.backbone")


class _Range(StrictSchema):
    """Numbers in [low, high], on a log scale or in steps."""

    low: float
    high: float
    log: bool = False

    @property
    def bounds(self) -> tuple[Value, ...]:
        """The lowest and the highest value."""
        return self.low, self.high

    @property
    def varies(self) -> bool:
        """Whether there is more than one value."""
        return self.low < self.high

    def contains(self, value: Value) -> bool:
        """Return whether a number is in the range."""
        return not isinstance(value, str) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"[{self.low:g}, {self.high:g}]{' log' if self.log else ''}"


class FloatRange(_Range):
    """A real number in [low, high], on a log scale or in steps."""

    type: Literal["float"]
    step: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_range(self)
        return self

    def quantile(self, u: float) -> float:
        """Return the quantile `u`, in [0, 1), of the distribution from which a random search draws."""
        if self.step is not None:
            count = int((self.high - self.low) / self.step + 1e-9) + 1
            return self.low + self.step * int(u * count)
        return min(self.high, max(self.low, _interpolate(self.low, self.high, u, self.log)))


class IntRange(_Range):
    """A whole number in [low, high], on a log scale or in steps."""

    type: Literal["int"]
    low: int
    high: int
    step: int = Field(default=1, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_range(self)
        return self

    def quantile(self, u: float) -> int:
        """Return the quantile `u`, in [0, 1), of the distribution from which a random search draws."""
        if self.log:
            value = round(_interpolate(self.low - 0.5, self.high + 0.5, u, log=True))
            return min(self.high, max(self.low, value))
        count = (self.high - self.low) // self.step + 1
        return self.low + self.step * int(u * count)


class Choices(StrictSchema):
    """One of several values."""

    type: Literal["categorical"]
    choices: tuple[Value, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("a choice is listed twice")
        return self

    @property
    def bounds(self) -> tuple[Value, ...]:
        """All values, because choices have no order."""
        return self.choices

    @property
    def varies(self) -> bool:
        """Whether there is more than one value."""
        return len(self.choices) > 1

    def contains(self, value: Value) -> bool:
        """Return whether a value is one of the choices."""
        return value in self.choices

    def quantile(self, u: float) -> Value:
        """Return the quantile `u`, in [0, 1), of the distribution from which a random search draws."""
        return self.choices[int(u * len(self.choices))]

    def __str__(self) -> str:
        return str(list(self.choices))


def _interpolate(low: float, high: float, u: float, log: bool) -> float:
    return math.exp(math.log(low) + u * (math.log(high) - math.log(low))) if log else low + u * (high - low)


Parameter = Annotated[FloatRange | IntRange | Choices, Field(discriminator="type")]


class Constraint(StrictSchema):
    """A narrower range for one parameter of the space."""

    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] | None = Field(default=None, min_length=1)


def _check_range(parameter: "FloatRange | IntRange") -> None:
    if parameter.low > parameter.high:
        raise ValueError(f"low {parameter.low:g} is above high {parameter.high:g}")
    if parameter.log and parameter.low <= 0:
        raise ValueError(f"low {parameter.low:g} must be above 0 on a log scale")
    if parameter.log and parameter.step not in (None, 1):
        raise ValueError("log and step cannot be combined")


def flatten(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Replace the groups of a space's file with dotted names, such as {'optim': {'lr': …}} with {'optim.lr': …}."""
    flat: dict[str, Any] = {}
    for group, members in tree.items():
        if isinstance(members, Mapping) and "type" not in members:
            flat |= {f"{group}.{name}": value for name, value in members.items()}
        else:
            flat[group] = members
    return flat


def check_space(flat: Mapping[str, Any], backbones: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the problems of a search space that was read from a file.

    Args:
        flat: The space as `flatten` returns it, each parameter still a plain mapping.
        backbones: The declared backbones, by name.

    Yields:
        (parameter name, problem) pairs; none if the space is valid.
    """
    for name in flat:
        if name not in SEARCHED:
            yield name, unknown_parameter(name)
    for name in SEARCHED:
        if name not in flat:
            yield name, "is missing; declare every parameter (a single choice fixes one)"
    adapter: TypeAdapter[FloatRange | IntRange | Choices] = TypeAdapter(Parameter)
    for name in (n for n in flat if n in SEARCHED):
        try:
            parameter = adapter.validate_python(_tuples(flat[name]))
        except ValidationError as error:
            for problem in error.errors():
                yield ".".join([name, *map(str, problem["loc"][1:])]), format_validation_error(problem)
            continue
        yield from ((name, problem) for problem in _range_problems(name, parameter, backbones))


def unknown_parameter(name: str) -> str:
    """Return what is wrong with a name that is no searched parameter."""
    if name == NULL_POLICY:
        return "is decided after training and not searched; list the policies in decision.null_policies"
    return f"unknown parameter{did_you_mean(name, SEARCHED)}"


def format_validation_error(problem: Mapping[str, Any]) -> str:
    """Return the message of a pydantic error, with the value that was found."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = problem.get("input")
    if problem["type"] in {"missing", "value_error"} or isinstance(found, Mapping | list | tuple):
        return message
    return f"{message} (found {found!r})"


def _tuples(value: Any) -> Any:
    if isinstance(value, Mapping) and isinstance(value.get("choices"), list):
        return {**value, "choices": tuple(value["choices"])}
    return value


def _range_problems(
    name: str, parameter: FloatRange | IntRange | Choices, backbones: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the problems of a range, such as a wrong type, a value out of its limits or an unknown backbone."""
    values = parameter.bounds
    if isinstance(parameter, FloatRange) and is_integer(name):
        yield "must be of type int or categorical"
    else:
        for value in values:
            yield from value_problems(name, value)
    if name in ("aug.enabled", "aug.max_replace") and not isinstance(parameter, Choices):
        yield "must be of type categorical, because augmented texts are made in advance for each value"
    for value in values:
        yield from backbone_problems(name, value, backbones)


def backbone_problems(name: str, value: Any, backbones: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a value of a parameter that names a backbone."""
    if name in BACKBONES and value not in backbones:
        yield f"backbone '{value}' is unknown{did_you_mean(str(value), backbones)}"


class Space(FrozenSchema):
    """A checked search space, which has a parameter for each hyper-parameter that some trial can use."""

    parameters: dict[str, Parameter]

    @property
    def backbones(self) -> tuple[str, ...]:
        """Names of the backbones that can be suggested."""
        return tuple(dict.fromkeys(str(name) for parameter in BACKBONES for name in self._choices(parameter)))

    @property
    def optimizers(self) -> tuple[Optimizer, ...]:
        """Names of the optimizers that can be suggested."""
        return cast(tuple[Optimizer, ...], self._choices("optim.name"))

    @property
    def shortest_length(self) -> int:
        """The smallest max_length, in tokens, that can be suggested."""
        parameter = self.parameters["data.max_length"]
        return min(map(int, parameter.bounds))

    @property
    def longest_length(self) -> int:
        """The greatest max_length, in tokens, that can be suggested."""
        parameter = self.parameters["data.max_length"]
        return max(map(int, parameter.bounds))

    @property
    def augments(self) -> bool:
        """Whether a trial may augment its training texts."""
        return True in self._choices("aug.enabled")

    @property
    def augmentation_strategies(self) -> tuple[AugmentationStrategy, ...]:
        """The augmentation strategies that can be suggested."""
        return cast(tuple[AugmentationStrategy, ...], self._choices("aug.strategy"))

    @property
    def strengths(self) -> tuple[float, ...]:
        """The shares of words that an augmentation method may alter."""
        return tuple(float(share) for share in self._choices("aug.max_replace"))

    def _choices(self, name: str) -> tuple[Value, ...]:
        """Return the choices of a parameter; none if no trial can use it."""
        parameter = self.parameters.get(name)
        assert parameter is None or isinstance(parameter, Choices)
        return () if parameter is None else parameter.choices

    def groups(self) -> list[dict[str, Parameter]]:
        """Return the parameters in groups that are used together; a group comes after those that it depends on."""
        found: dict[tuple[Condition, ...], dict[str, Parameter]] = {}
        for name, parameter in self.parameters.items():
            found.setdefault(_conditions(name), {})[name] = parameter
        return [found[conditions] for conditions in sorted(found, key=len)]

    def without(self, names: Collection[str]) -> "Space":
        """Return the space without these parameters."""
        return Space(parameters={name: p for name, p in self.parameters.items() if name not in names})

    def used(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Return those of a trial's values that it uses."""
        return {name: value for name, value in params.items() if is_used(name, params)}

    def adapted(self, params: Mapping[str, Value]) -> dict[str, Value]:
        """Return hyper-parameters of another agent or from elsewhere as the first values of a trial.

        Args:
            params: Values under the names of the search space.

        Returns:
            Those of parameters of this space, with its own value where it has only one.
        """
        own = {name: parameter.bounds[0] for name, parameter in self.parameters.items() if not parameter.varies}
        return self.used({**{name: value for name, value in params.items() if name in self.parameters}, **own})

    def differences(self, other: "Space") -> list[str]:
        """Return a line for each parameter that differs from that of another, earlier space."""
        lines = []
        for name in sorted(self.parameters.keys() | other.parameters.keys()):
            mine, theirs = self.parameters.get(name), other.parameters.get(name)
            if mine != theirs:
                lines.append(f"{name}: {theirs or 'nothing'} became {mine or 'nothing'}")
        return lines


def apply_constraints(
    space: Space, constraints: Mapping[str, Constraint], backbones: Collection[str]
) -> tuple[Space, list[tuple[str, str]]]:
    """Apply constraints to a search space.

    Args:
        space: The space to narrow. It is not changed.
        constraints: A narrower range for each named parameter. Those of backbones may name any declared one.
        backbones: Names of the declared backbones.

    Returns:
        The narrowed space, and a (parameter name, problem) pair for each constraint that cannot be applied.
    """
    parameters, problems = dict(space.parameters), []
    for name, constraint in constraints.items():
        if name not in parameters:
            problems.append((name, unknown_parameter(name)))
            continue
        try:
            parameters[name] = _narrowed(_with_choices(name, parameters[name], backbones), constraint)
        except ValueError as error:
            problems.append((name, str(error)))
    return Space(parameters=parameters), problems


def drop_unused_parameters(space: Space) -> Space:
    """Return the space without the parameters that no trial can use, so that no sampler varies them."""
    return space.without([name for name in space.parameters if not _can_be_used(name, space)])


def _can_be_used(name: str, space: Space) -> bool:
    when = condition(name)
    if when is None:
        return True
    other = space.parameters.get(when.name)
    return other is not None and _can_be_used(when.name, space) and any(map(other.contains, when.values))


def _conditions(name: str) -> tuple[Condition, ...]:
    """Return the conditions under which a parameter is used, the outermost first."""
    when = condition(name)
    return () if when is None else (*_conditions(when.name), when)


def _with_choices(
    name: str, parameter: FloatRange | IntRange | Choices, backbones: Collection[str]
) -> FloatRange | IntRange | Choices:
    if name not in BACKBONES or not isinstance(parameter, Choices):
        return parameter
    return parameter.model_copy(update={"choices": tuple(dict.fromkeys([*parameter.choices, *backbones]))})


def _narrowed(parameter: FloatRange | IntRange | Choices, constraint: Constraint) -> FloatRange | IntRange | Choices:
    if isinstance(parameter, Choices):
        if constraint.choices is None or constraint.low is not None or constraint.high is not None:
            raise ValueError("is categorical; its constraint must give 'choices' only")
        for value in constraint.choices:
            if value not in parameter.choices:
                near = did_you_mean(str(value), map(str, parameter.choices))
                raise ValueError(f"{value!r} is not in the space{near}")
        return parameter.model_copy(update={"choices": constraint.choices})
    if constraint.choices is not None:
        raise ValueError("is a range; its constraint must give 'low', 'high' or both")
    low = parameter.low if constraint.low is None else constraint.low
    high = parameter.high if constraint.high is None else constraint.high
    if low < parameter.low or high > parameter.high:
        raise ValueError(f"[{low:g}, {high:g}] is wider than the space's [{parameter.low:g}, {parameter.high:g}]")
    if low > high:
        raise ValueError(f"low {low:g} is above high {high:g}")
    if isinstance(parameter, IntRange):
        if low != int(low) or high != int(high):
            raise ValueError("low and high must be whole numbers")
        low, high = int(low), int(high)
    return parameter.model_copy(update={"low": low, "high": high})
