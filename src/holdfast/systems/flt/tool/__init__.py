"""What was learned of distance, drawn and as numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from holdfast.systems.flt.estimator import FLTRegressor

POINTS = 201


def along(model: FLTRegressor, axis: int) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Distances (n,) along an axis, in the user's units, and the bias there less that at 0: as used, in closed form."""
    reach = float(model.span_[axis]) or model.side_
    far = np.linspace(-reach, reach, POINTS)
    delta = np.zeros((POINTS, model.dim_))
    delta[:, axis] = far
    used, exact = model.bias(delta)
    middle = POINTS // 2
    return far, used - used[:, middle, None], None if exact is None else exact - exact[:, middle, None]


def described(model: FLTRegressor) -> tuple[list[str], list[list[Any]]]:
    """A table: per head and axis, the bias at a tenth, a quarter and half of the axis, less the one at 0."""
    names = model.columns_.get("pos") or [f"axis {k + 1}" for k in range(model.dim_)]
    rows: list[list[Any]] = []
    for axis, name in enumerate(names):
        far, used, _ = along(model, axis)
        places = [round((1 + share) * (POINTS - 1) / 2) for share in (0.1, 0.25, 0.5)]
        for head, values in enumerate(used):
            rows.append([head + 1, name, *(float(values[p]) for p in places), float(far[places[-1]])])
    return ["head", "axis", "at 1/10", "at 1/4", "at 1/2", "which is"], rows


def bias_figure(model: FLTRegressor) -> Figure:
    """A row per head: the bias along each axis, and over the plane of the first two."""
    from matplotlib.figure import Figure

    names = model.columns_.get("pos") or [f"axis {k + 1}" for k in range(model.dim_)]
    columns = 2 if model.dim_ > 1 else 1
    figure = Figure(figsize=(4.6 * columns, 3.0 * model.heads), layout="constrained")
    axes = figure.subplots(model.heads, columns, squeeze=False)
    for axis, name in enumerate(names):
        far, used, exact = along(model, axis)
        for head in range(model.heads):
            (line,) = axes[head, 0].plot(far, used[head], label=name)
            if exact is not None:
                axes[head, 0].plot(far, exact[head], "--", color=line.get_color(), linewidth=0.8)
    for head in range(model.heads):
        axes[head, 0].axhline(0, color="0.8", linewidth=0.8, zorder=0)
        axes[head, 0].set(title=f"head {head + 1}: bias by distance", ylabel="added to the score")
        axes[head, 0].legend(frameon=False, title="along")
    axes[-1, 0].set_xlabel(
        "difference of positions" if model.kind == "mlp" else "difference of positions (dashed: R → ∞)"
    )
    if model.dim_ > 1:
        _planes(model, names, axes[:, 1])
    return figure


def _planes(model: FLTRegressor, names: list[str], axes: Any) -> None:
    reach = [float(extent) or model.side_ for extent in model.span_[:2]]
    grids = np.meshgrid(*(np.linspace(-r, r, 81) for r in reach))
    delta = np.zeros((81, 81, model.dim_))
    delta[..., 0], delta[..., 1] = grids
    used, _ = model.bias(delta)
    used = used - used[:, 40:41, 40:41]
    most = float(np.abs(used).max()) or 1.0
    for head, axis in enumerate(axes):
        extent = (-reach[0], reach[0], -reach[1], reach[1])
        image = axis.imshow(
            used[head], origin="lower", extent=extent, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto"
        )
        axis.set(title=f"head {head + 1}: over a plane", xlabel=names[0], ylabel=names[1])
        axis.figure.colorbar(image, ax=axis)


__all__ = ["along", "bias_figure", "described"]
