"""From the settings of an `EmbeddingMigrator` to the part that learns the map; what is chosen where none are given."""

from __future__ import annotations

from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.randomness import derived_seed
from holdfast.systems.fct.tool.maps import FittedMap, MapFitter, Procrustes, Progress, Ridge
from holdfast.systems.fct.tool.pairs import Pairs, class_means
from holdfast.systems.fct.tool.training import TransformTraining
from holdfast.systems.fct.tool.transform import MLP
from holdfast.systems.fct.tool.uncertainty import Ensemble
from holdfast.validation import check_choice, check_integer

METHODS = ("mlp", "ridge", "procrustes")
MEMBERS = 5  # of an ensemble


def check_method(method: Any) -> None:
    """Refuse what is neither the name of a method nor a part.

    Raises:
        InputError: that.
    """
    if isinstance(method, str):
        check_choice(method, METHODS, "method")
    elif not (hasattr(method, "fit") and hasattr(method, "shape")):
        raise InputError("method", f"must be one of {', '.join(METHODS)}, or a part such as Ridge()", method)


def default_width(new_dim: int) -> int:
    """Width of h's mixer where none is given: the power of two from `new_dim` on, at least 256 and at most 1024.

    With some thousand pairs twice the width gained a point of recall at most, for twice the time.

    Example:
        >>> [default_width(dim) for dim in (16, 384, 1536, 4096)]
        [256, 512, 1024, 1024]
    """
    return min(1024, max(256, 1 << (new_dim - 1).bit_length()))


def default_batch(pairs: int) -> int:
    """Pairs per step where nothing is said: the reference's 1,024, or less where an epoch would have under 48 steps.

    Example:
        >>> [default_batch(pairs) for pairs in (200, 4000, 10**6)]
        [64, 83, 1024]
    """
    return min(1024, max(64, pairs // 48))


def fitter_for(
    method: str | MapFitter,
    new_dim: int,
    pairs: int,
    *,
    head: bool,
    epochs: int,
    batch_size: int | None,
    lr: float,
    inner_dim: int | None,
    label_weight: float,
) -> MapFitter:
    """The part that a method and its settings mean; a part is given back as it is.

    Raises:
        InputError: a setting out of its range.
    """
    size = default_batch(pairs) if batch_size is None else batch_size
    training = TransformTraining(epochs=epochs, batch_size=size, lr=lr, label_weight=label_weight)
    width = default_width(new_dim) if inner_dim is None else check_integer(inner_dim, "inner_dim", low=1)
    if not isinstance(method, str):
        return method
    if method == "mlp":
        return MLP(width, training, uncertainty=head)
    return Ridge() if method == "ridge" else Procrustes()


def fit_map(
    fitter: MapFitter,
    pairs: Pairs,
    *,
    ensemble: bool,
    labelled: bool,
    seed: int,
    device: str,
    progress: Progress | None,
) -> FittedMap:
    """One map fitted to pairs, or an ensemble of maps fitted to pairs drawn from them with replacement."""
    if not ensemble:
        more: dict[str, Any] = {}
        if labelled and isinstance(fitter, MLP):
            assert pairs.labels is not None
            more = {"labels": pairs.labels, "classifier": class_means(pairs.new, pairs.labels)}
        return fitter.fit(pairs.old, pairs.new, pairs.side, seed=seed, device=device, progress=progress, **more)
    rng = np.random.default_rng(derived_seed(seed, "ensemble"))
    members = []
    for number in range(MEMBERS):
        drawn = pairs.rows(np.sort(rng.integers(0, len(pairs.old), len(pairs.old))))
        shown = None if progress is None else _part(progress, number)
        members.append(fitter.fit(drawn.old, drawn.new, drawn.side, seed=seed + number, device=device, progress=shown))
    return Ensemble(members)


def _part(progress: Progress, number: int) -> Progress:
    """The progress of one member as part of that of all."""
    return lambda done, total: progress(number * total + done, MEMBERS * total)


__all__ = ["MEMBERS", "METHODS", "check_method", "default_batch", "default_width", "fit_map", "fitter_for"]
