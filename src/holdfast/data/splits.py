"""One replicate's division of the data of a domain-adaptation or semi-supervised problem."""

from __future__ import annotations

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_fraction, check_integer, check_present


@dataclass(frozen=True, eq=False)
class DomainSplit:
    """What a method gets, and what it is measured with. Images (., C, H, W) float32 in [0, 1], labels (.,) int64.

    Attributes:
        source_x, source_y: labelled source images (semi-supervised: the few labelled images).
        unlabelled_x: target images to train on without labels, in random order.
        audit_y: their true labels, for DIAGNOSTICS ONLY (accuracy of pseudo-labels); never train or select with them.
        labelled_x, labelled_y: target images with labels, empty unless made by `with_labels`.
        validation_x, validation_y: target images that are the same in every replicate and in no other part; their
            labels serve to tune hyper-parameters on pilots and for nothing else.
        test_x, test_y: target images to measure on.
        unlabelled_id, validation_id, test_id: their positions in the target pool, as ids of cases.
        classes: names of the classes; label k means `classes[k]`.
    """

    source_x: Tensor
    source_y: Tensor
    unlabelled_x: Tensor
    audit_y: Tensor
    labelled_x: Tensor
    labelled_y: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    unlabelled_id: Tensor
    validation_id: Tensor
    test_id: Tensor
    classes: tuple[str, ...]

    def with_labels(self, per_class: int) -> DomainSplit:
        """The split with `per_class` labelled target images of every class that the target has; 0 = none.

        They are the first of their class in the order of `unlabelled_x`, so the set for 1 label is part of the set for
        5. They also stay in `unlabelled_x`: the unlabelled data of arms with and without labels are the same.

        Raises:
            InputError: per_class is no whole number from 0, or a class of the target has fewer unlabelled images.
        """
        check_integer(per_class, "per_class", low=0)
        chosen = first_of_each_class(self.audit_y, per_class, self.classes)
        return dataclasses.replace(self, labelled_x=self.unlabelled_x[chosen], labelled_y=self.audit_y[chosen])

    def to(self, device: str | torch.device) -> DomainSplit:
        """The same split with all tensors on the device."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        moved = {name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)}
        return dataclasses.replace(self, **moved)  # type: ignore[arg-type]  # classes is not among them

    def __repr__(self) -> str:
        parts = ("source", "unlabelled", "labelled", "validation", "test")
        sizes = ", ".join(f"{part} {len(getattr(self, part + '_x'))}" for part in parts)
        return f"DomainSplit({sizes}, images {tuple(self.source_x.shape[1:])}, {len(self.classes)} classes)"


def first_of_each_class(labels: Tensor, count: int, classes: tuple[str, ...]) -> Tensor:
    """Positions (int64) of the first `count` rows of each class that occurs, sorted by class.

    Raises:
        InputError: a class that occurs does so less than `count` times.

    Example:
        >>> first_of_each_class(torch.tensor([1, 0, 1, 1, 0]), 2, ("a", "b")).tolist()
        [1, 4, 0, 2]
    """
    order = torch.argsort(labels, stable=True)
    counts = torch.bincount(labels, minlength=len(classes))
    present = counts > 0
    if bool((counts[present] < count).any()):
        k = int(torch.where(present, counts, counts.max() + 1).argmin())
        rule = (
            f"must be at most the number of images to choose from in every class ({classes[k]!r} has {int(counts[k])})"
        )
        raise InputError("per_class", rule, count)
    starts = (counts.cumsum(0) - counts)[present]
    return order[(starts[:, None] + torch.arange(count, device=labels.device)).reshape(-1)]


def stratified(labels: Tensor, fraction: float, rng: np.random.Generator) -> Tensor:
    """A random part of the rows that has nearly the same share of each class.

    The rows are put in random order within classes, the classes in random order one after the other, and taken evenly
    along that line. So exactly floor(fraction * N + 1/2) rows are taken, of each class within 1 of fraction * n_c, and
    classes too small for a whole row get one in some draws and not in others.

    Args:
        labels: (N,) whole numbers.
        fraction: share in [0, 1].
        rng: the only source of randomness.

    Returns:
        (N,) bool, True for the rows taken.

    Example:
        >>> taken = stratified(torch.tensor([0] * 8 + [1] * 4), 0.25, np.random.default_rng(0))
        >>> int(taken[:8].sum()), int(taken[8:].sum())
        (2, 1)
    """
    check_fraction(fraction, "fraction")
    y = check_present(labels, "labels").cpu().numpy()
    shuffled = rng.permutation(len(y))
    classes, index = np.unique(y, return_inverse=True)
    line = shuffled[np.argsort(rng.permutation(len(classes))[index][shuffled], kind="stable")]
    taken_before = np.floor(fraction * np.arange(len(y) + 1) + 0.5)
    mask = np.zeros(len(y), bool)
    mask[line] = np.diff(taken_before) > 0
    return torch.from_numpy(mask)


def content_rng(labels: Tensor, purpose: str) -> np.random.Generator:
    """A generator seeded by the labels themselves and a purpose: the same data are divided the same way everywhere."""
    hashed = hashlib.sha256(purpose.encode() + b"|" + labels.cpu().numpy().astype("<i8").tobytes())
    return np.random.default_rng(int.from_bytes(hashed.digest()[:8], "little"))


def divide(y: Tensor, validation: float, test: float, rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of a pool's (validation, test, training) rows, each int64, given its labels y (N,).

    Validation is a stratified part of the pool that depends on its labels only; the others are a stratified division
    of the remaining rows drawn from rng; the training rows are in random order.

    Raises:
        InputError: the pool is too small for a test and a training row.
    """
    held = stratified(y, validation, content_rng(y, "validation"))
    rest = torch.nonzero(~held).squeeze(1)
    tested = stratified(y[rest], test, rng)
    train = rest[~tested]
    if not tested.any() or not len(train):
        rule = f"must have enough images for validation {validation:g}, test {test:g} of the rest, and training"
        raise InputError("target", rule, f"{len(y)} images")
    return torch.nonzero(held).squeeze(1), rest[tested], train[torch.from_numpy(rng.permutation(len(train)))]


def fixed_test(y: Tensor, test: int, validation: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Positions of a finite pool's (validation, test, other) rows, each int64: the same in every replicate.

    For problems with `fixed_test = True`, given the labels y (N,). Replicates draw what they train on from the other
    rows (see `training_rows`), noise and users; the test rows are bootstrapped when a verdict is made.

    Raises:
        InputError: the pool holds too few rows.

    Example:
        >>> y = torch.arange(100) % 10
        >>> held, tested, others = fixed_test(y, 20, 10)
        >>> len(held), len(tested), len(others), torch.bincount(y[tested]).tolist()
        (10, 20, 70, [2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    check_integer(test, "test", low=1)
    check_integer(validation, "validation", low=0)
    if test + validation >= len(y):
        raise InputError("test", f"must leave rows to train on, of {len(y)} with {validation} to validate", test)
    tested = stratified(y, test / len(y), content_rng(y, "test"))
    rest = torch.nonzero(~tested).squeeze(1)
    held = stratified(y[rest], validation / len(rest), content_rng(y, "validation"))
    return rest[held], torch.nonzero(tested).squeeze(1), rest[~held]


def training_rows(y: Tensor, rows: Tensor, count: int, rng: np.random.Generator) -> Tensor:
    """`count` of the rows (positions, int64), a stratified draw by their labels y (N,), in random order.

    Raises:
        InputError: there are fewer rows.
    """
    check_integer(count, "count", low=1)
    if count > len(rows):
        raise InputError("count", f"must be at most the number of rows to draw from ({len(rows)})", count)
    drawn = rows[stratified(y[rows], count / len(rows), rng)]
    return drawn[torch.from_numpy(rng.permutation(len(drawn)))]


def sizes(n: int, validation: float, test: float) -> tuple[int, int]:
    """(n_test, n_train) that `divide` makes of a pool of n rows."""
    rest = n - int(np.floor(validation * n + 0.5))
    n_test = int(np.floor(test * rest + 0.5))
    return n_test, rest - n_test


__all__ = [
    "DomainSplit",
    "content_rng",
    "divide",
    "first_of_each_class",
    "fixed_test",
    "sizes",
    "stratified",
    "training_rows",
]
