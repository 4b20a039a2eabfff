"""Problems of domain adaptation and semi-supervised learning: two image sets, or one, divided anew per replicate.

The target pool is divided in two steps. A validation part (20 %), the same in every replicate, is set aside: its
labels tune hyper-parameters on pilots and nothing else. The remaining rows are divided per replicate into test (25 %)
and unlabelled training images (75 %), classes in proportion.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from holdfast.data.domain_stream import DomainStream
from holdfast.data.domain_training import DomainTraining
from holdfast.data.imagesets import ImageSet, Progress
from holdfast.data.shifts import Shift
from holdfast.data.splits import DomainSplit, content_rng, divide, first_of_each_class, sizes, stratified
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem
from holdfast.validation import check_fraction, check_integer

Pool = dict[str, Tensor]
_REMEMBERED: OrderedDict[tuple[DomainProblem, str], Pool] = OrderedDict()
_REMEMBER_BYTES = 2**30  # in all; the trials of a run use a handful of problems, many times each


class DomainProblem(Problem):
    """A problem whose data come as a `DomainSplit` per replicate. Subclasses are frozen dataclasses."""

    @property
    @abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, those of the source."""

    @abstractmethod
    def pool(self, progress: Progress | None = None) -> Pool:
        """All images and labels before any division, as a dict of tensors (so it can be a stage of a run)."""

    @abstractmethod
    def split(self, pool: Pool, rng: np.random.Generator) -> DomainSplit:
        """Divide a pool; the same generator state gives the same split."""

    def load(self, rng: np.random.Generator, progress: Progress | None = None) -> DomainSplit:
        """The data of one replicate; the last pools are remembered within the process.

        Args:
            rng: the replicate's stream "split".
            progress: called with (done, total) while files are read.

        Raises:
            InputError: unreadable or unsuitable data.
        """
        return self.split(self._remembered(progress), rng)

    def training(
        self,
        rng: np.random.Generator,
        *,
        batch: int,
        ratio: int,
        seed: int,
        target_labels: int = 0,
        workers: int = 0,
        device: str = "cpu",
    ) -> DomainTraining:
        """The data of one replicate as a stream to train on and tensors to measure on.

        Args:
            rng: the replicate's stream "split".
            batch, ratio: labelled images per batch, and unlabelled target images for each of them.
            seed: of the order of batches.
            target_labels: target images per class that come with labels.
            workers: processes that decode images where the problem does not fit into memory.
            device: of the tensors.
        """
        split = self.load(rng).with_labels(target_labels).to(device)
        source, labelled = (split.source_x, split.source_y), (split.labelled_x, split.labelled_y)
        stream = DomainStream(source, split.unlabelled_x, labelled, batch=batch, ratio=ratio, seed=seed)
        return DomainTraining(
            stream=stream,
            adapt_x=split.unlabelled_x,
            validation_x=split.validation_x,
            validation_y=split.validation_y,
            test_x=split.test_x,
            test_y=split.test_y,
            test_id=split.test_id,
            classes=split.classes,
        )

    def _remembered(self, progress: Progress | None = None) -> Pool:
        key = (self, self.fingerprint())
        pool = _REMEMBERED.pop(key, None) or self.pool(progress)
        _REMEMBERED[key] = pool  # now the last, the newest
        while sum(t.nbytes for kept in _REMEMBERED.values() for t in kept.values()) > _REMEMBER_BYTES:
            _REMEMBERED.popitem(last=False)
        return pool


@dataclass(frozen=True)
class DomainPair(DomainProblem):
    """Labelled images of one domain, unlabelled images of another, the same classes.

    Shifts are applied once, to the whole set, with randomness that depends on the data only: a shifted set is one
    finite set, and replicates re-divide it. If both sets hold the same cases (MNIST -> rotated MNIST), a fixed,
    stratified half of them is the source and the other half the target. Where one side is grey and the other RGB, the
    grey one is repeated to three channels.

    Args:
        source_set, target_set: the image sets; the target's classes must be among the source's (compared by name).
        source_shift, target_shift: applied to the set; the target's may not falsify labels, they are tested on.
        validation: share of the target pool set aside for tuning.
        test: share of the remaining target pool that is tested on.

    Raises:
        InputError: on construction for settings, on `load` for data that do not fit together.

    Example:
        >>> from holdfast.data.digits import Mnist5k, UciDigits
        >>> pair = DomainPair(Mnist5k(), UciDigits())
        >>> pair.load(np.random.default_rng(0))
        DomainSplit(source 5000, unlabelled 1078, labelled 0, validation 359, test 360, images (1, 16, 16), 10 classes)
        >>> pair.resplit
        (360, 1078)
    """

    source_set: ImageSet
    target_set: ImageSet
    source_shift: Shift | None = None
    target_shift: Shift | None = None
    validation: float = 0.2
    test: float = 0.25

    def __post_init__(self) -> None:
        check_fraction(self.validation, "validation", one=False)
        check_fraction(self.test, "test", zero=False, one=False)
        if self.target_shift is not None and self.target_shift.corrupts_labels:
            raise InputError("target_shift", "must keep the labels true, they are tested on", repr(self.target_shift))

    @property
    def source(self) -> DataSource:  # type: ignore[override]
        """ "file" if either set is one, else that of the source set."""
        both = (self.source_set.source, self.target_set.source)
        return "file" if "file" in both else both[0]

    @property
    def how_to_get(self) -> str:  # type: ignore[override]
        """What to do for the sets that are not available."""
        texts = (s.how_to_get for s in (self.source_set, self.target_set) if not s.available())
        return "; ".join(dict.fromkeys(t for t in texts if t))

    @property
    def resplit(self) -> tuple[int, int]:
        as_is = self.target_shift is None and self.source_set.cases() != self.target_set.cases()
        labels = self.target_set.labels() if as_is else self._remembered()["target_y"]  # labels: decodes no image
        return sizes(len(labels), self.validation, self.test)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.source_set.classes

    def available(self) -> bool:
        return self.source_set.available() and self.target_set.available()

    def describe(self) -> str:
        def side(images: ImageSet, shift: Shift | None) -> str:
            return images.describe() if shift is None else f"{images.describe()}, {shift!r}"

        return f"{side(self.source_set, self.source_shift)} -> {side(self.target_set, self.target_shift)}"

    def fingerprint(self) -> str:
        return " ".join((self.source_set.fingerprint(), self.target_set.fingerprint())).strip()

    def pool(self, progress: Progress | None = None) -> Pool:
        """source_x, source_y, target_x, target_y: both sets shifted, target labels in terms of the source's classes."""
        source_x, source_y = self.source_set.load(progress)
        target_x, target_y = self.target_set.load(progress)
        if self.source_set.cases() == self.target_set.cases():
            half = stratified(source_y, 0.5, content_rng(source_y, "halves"))
            source_x, source_y, target_x, target_y = source_x[half], source_y[half], target_x[~half], target_y[~half]
        target_y = rename_labels(target_y, self.target_set.classes, self.source_set.classes)
        if self.source_shift is not None:
            source_x, source_y = self.source_shift(source_x, source_y, content_rng(source_y, "source shift"))
        if self.target_shift is not None:
            target_x, target_y = self.target_shift(target_x, target_y, content_rng(target_y, "target shift"))
        source_x, target_x = _same_channels(source_x, target_x)
        return {"source_x": source_x, "source_y": source_y, "target_x": target_x, "target_y": target_y}

    def split(self, pool: Pool, rng: np.random.Generator) -> DomainSplit:
        x, y = pool["target_x"], pool["target_y"]
        held, tested, train = divide(y, self.validation, self.test, rng)
        # copies, like the other parts: a method that changes its data in place must not reach the remembered pool
        source_x, source_y = pool["source_x"].clone(), pool["source_y"].clone()
        return _split(source_x, source_y, x, y, train, held, tested, self.classes)


@dataclass(frozen=True)
class SemiSupervised(DomainProblem):
    """One image set of which few labels are known: `source` = labelled images, `unlabelled` = the other training rows.

    Args:
        images: the image set.
        per_class: labelled images per class; with the same rng, those for 4 are among those for 25.
        shift: applied to the whole set first; it may not falsify labels.
        validation, test: shares, as in `DomainPair`.

    Raises:
        InputError: on construction for settings; on `load` if a class has too few images.

    Example:
        >>> from holdfast.data.digits import UciDigits
        >>> SemiSupervised(UciDigits(), per_class=4).load(np.random.default_rng(0))
        DomainSplit(source 40, unlabelled 1038, labelled 0, validation 359, test 360, images (1, 16, 16), 10 classes)
    """

    images: ImageSet
    per_class: int = 4
    shift: Shift | None = None
    validation: float = 0.2
    test: float = 0.25

    def __post_init__(self) -> None:
        check_integer(self.per_class, "per_class", low=1)
        check_fraction(self.validation, "validation", one=False)
        check_fraction(self.test, "test", zero=False, one=False)
        if self.shift is not None and self.shift.corrupts_labels:
            raise InputError("shift", "must keep the labels true, they are tested on", repr(self.shift))

    @property
    def source(self) -> DataSource:  # type: ignore[override]
        """That of the image set."""
        return self.images.source

    @property
    def how_to_get(self) -> str:  # type: ignore[override]
        """That of the image set."""
        return self.images.how_to_get

    @property
    def resplit(self) -> tuple[int, int]:
        labels = self.images.labels() if self.shift is None else self._remembered()["target_y"]
        return sizes(len(labels), self.validation, self.test)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.images.classes

    def available(self) -> bool:
        return self.images.available()

    def describe(self) -> str:
        shifted = "" if self.shift is None else f", {self.shift!r}"
        return f"{self.images.describe()}{shifted}, {self.per_class} labels per class"

    def fingerprint(self) -> str:
        return self.images.fingerprint()

    def pool(self, progress: Progress | None = None) -> Pool:
        """target_x, target_y: the whole set, shifted."""
        x, y = self.images.load(progress)
        if self.shift is not None:
            x, y = self.shift(x, y, content_rng(y, "shift"))
        return {"target_x": x, "target_y": y}

    def split(self, pool: Pool, rng: np.random.Generator) -> DomainSplit:
        x, y = pool["target_x"], pool["target_y"]
        held, tested, train = divide(y, self.validation, self.test, rng)
        labelled = first_of_each_class(y[train], self.per_class, self.classes)
        is_labelled = torch.zeros(len(train), dtype=torch.bool)
        is_labelled[labelled] = True
        known, rest = train[labelled], train[~is_labelled]
        return _split(x[known], y[known], x, y, rest, held, tested, self.classes)


def rename_labels(labels: Tensor, classes: tuple[str, ...], known: tuple[str, ...]) -> Tensor:
    """Labels in terms of `classes` as labels in terms of `known`, matched by name.

    Raises:
        InputError: a class that occurs among the labels is not known; names all such classes.

    Example:
        >>> rename_labels(torch.tensor([0, 1]), ("b", "c"), ("a", "b", "c")).tolist()
        [1, 2]
    """
    if classes == known:
        return labels
    index = {name: k for k, name in enumerate(known)}
    table = torch.tensor([index.get(name, -1) for name in classes])
    renamed = table[labels]
    if bool((renamed < 0).any()):
        unknown = [classes[int(k)] for k in labels[renamed < 0].unique()]
        raise InputError("target", f"must have only classes of the source ({_some(known)})", f"also {_some(unknown)}")
    return renamed


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _same_channels(source_x: Tensor, target_x: Tensor) -> tuple[Tensor, Tensor]:
    if source_x.shape[2:] != target_x.shape[2:]:
        received = f"{tuple(source_x.shape[2:])} and {tuple(target_x.shape[2:])}"
        raise InputError("source, target", "must have images of one size", received)
    channels = max(source_x.shape[1], target_x.shape[1])
    both = [x.expand(-1, channels, -1, -1).contiguous() if x.shape[1] == 1 else x for x in (source_x, target_x)]
    return both[0], both[1]


def _split(
    source_x: Tensor,
    source_y: Tensor,
    x: Tensor,
    y: Tensor,
    train: Tensor,
    held: Tensor,
    tested: Tensor,
    classes: tuple[str, ...],
) -> DomainSplit:
    return DomainSplit(
        source_x=source_x,
        source_y=source_y,
        unlabelled_x=x[train],
        audit_y=y[train],
        labelled_x=x[:0],
        labelled_y=y[:0],
        validation_x=x[held],
        validation_y=y[held],
        test_x=x[tested],
        test_y=y[tested],
        unlabelled_id=train,
        validation_id=held,
        test_id=tested,
        classes=classes,
    )


__all__ = ["DomainPair", "DomainProblem", "Pool", "SemiSupervised", "rename_labels"]
