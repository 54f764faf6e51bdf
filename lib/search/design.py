"""What a study tries before its sampler has anything to go by: points spread evenly over the space."""

import math
from typing import Any

from lib.settings.space import Choices, FloatRange, IntRange, Space


def spread(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Return n configurations from a scrambled Sobol' sequence (Owen, 1998) over the parameters that vary.

    Any first so many of them are spread too, and unlike random ones they leave no choice of a parameter untried by
    chance: of a categorical parameter each choice comes equally often, to within a few.
    """
    varied = {name: parameter for name, parameter in space.parameters.items() if _varies(parameter)}
    fixed = {name: _value(parameter, 0.0) for name, parameter in space.parameters.items() if name not in varied}
    if n == 0 or not varied:
        return [dict(fixed) for _ in range(n)]
    import torch  # which a worker has; SciPy's sequence would take it another second to import
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(len(varied), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64).tolist()
    return [
        {
            **fixed,
            **{name: _value(parameter, float(u)) for (name, parameter), u in zip(varied.items(), point, strict=True)},
        }
        for point in points
    ]


def _varies(parameter: FloatRange | IntRange | Choices) -> bool:
    return len(parameter.choices) > 1 if isinstance(parameter, Choices) else parameter.low < parameter.high


def _value(parameter: FloatRange | IntRange | Choices, u: float) -> Any:
    """Return the quantile u, in [0, 1), of the distribution a random search would draw from."""
    if isinstance(parameter, Choices):
        return parameter.choices[int(u * len(parameter.choices))]
    if isinstance(parameter, IntRange):
        return _whole(parameter, u)
    if parameter.step is not None:
        count = int((parameter.high - parameter.low) / parameter.step + 1e-9) + 1
        return parameter.low + parameter.step * int(u * count)
    return min(parameter.high, max(parameter.low, _between(parameter.low, parameter.high, u, parameter.log)))


def _whole(parameter: IntRange, u: float) -> int:
    if parameter.log:
        value = round(_between(parameter.low - 0.5, parameter.high + 0.5, u, log=True))
        return min(parameter.high, max(parameter.low, value))
    count = (parameter.high - parameter.low) // parameter.step + 1
    return parameter.low + parameter.step * int(u * count)


def _between(low: float, high: float, u: float, log: bool) -> float:
    return math.exp(math.log(low) + u * (math.log(high) - math.log(low))) if log else low + u * (high - low)
