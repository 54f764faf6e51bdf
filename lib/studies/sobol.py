"""Spread the first trials of a study evenly over the space with a Sobol' design."""

from typing import Any

from lib.settings.space import Space


def sobol_design(space: Space, n: int, seed: int) -> list[dict[str, Any]]:
    """Return n configurations from a scrambled Sobol' sequence (Owen, 1998) over the parameters that vary.

    The first k configurations are spread evenly for any k. Unlike random configurations, they leave out no choice of
    a categorical parameter by chance, because all choices come almost equally often.

    Args:
        space: All parameters; one that does not vary keeps its only value. Those that a configuration does not use
            are left out of it.
        n: Number of configurations; may be 0.
        seed: Seed of the scrambling.

    Returns:
        n configurations, each a value for every parameter that it uses.
    """
    varied = {name: parameter for name, parameter in space.parameters.items() if parameter.varies}
    fixed = {name: parameter.quantile(0.0) for name, parameter in space.parameters.items() if name not in varied}
    if n == 0 or not varied:
        return [space.used(fixed) for _ in range(n)]
    import torch  # a worker has imported it already; SciPy's sequence would take another second to import
    from torch.quasirandom import SobolEngine

    engine = SobolEngine(len(varied), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    points = engine.draw(n, dtype=torch.float64).tolist()
    return [
        space.used(
            {
                **fixed,
                **{
                    name: parameter.quantile(float(u))
                    for (name, parameter), u in zip(varied.items(), point, strict=True)
                },
            }
        )
        for point in points
    ]
