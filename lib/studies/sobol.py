"""A Sobol' design: the first trials of a study, spread evenly over the space."""

from typing import Any

from lib.settings.space import Space


def sobol_design(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Return n configurations from a scrambled Sobol' sequence (Owen, 1998) over the parameters that vary.

    Any first so many of them are spread too, and unlike random ones they leave no choice of a parameter untried by
    chance: of a categorical parameter each choice comes equally often, to within a few.
    """
    varied = {name: parameter for name, parameter in space.parameters.items() if parameter.varies}
    fixed = {name: parameter.quantile(0.0) for name, parameter in space.parameters.items() if name not in varied}
    if n == 0 or not varied:
        return [dict(fixed) for _ in range(n)]
    import torch  # which a worker has; SciPy's sequence would take it another second to import
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(len(varied), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64).tolist()
    return [
        {
            **fixed,
            **{
                name: parameter.quantile(float(u)) for (name, parameter), u in zip(varied.items(), point, strict=True)
            },
        }
        for point in points
    ]
