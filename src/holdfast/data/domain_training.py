"""What a domain-adaptation trial trains and is measured on, whether the images fit into memory or not."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from holdfast.data.domain_stream import DomainStream


@dataclass(frozen=True, eq=False)
class DomainTraining:
    """One replicate, ready to train.

    Attributes:
        stream: endless batches of source, target and, where asked for, labelled target images.
        adapt_x: unlabelled target images, for methods that adapt after training (some thousand of a large problem).
        validation_x, validation_y, test_x, test_y, test_id: as in `DomainSplit`.
        classes: names of the classes.
    """

    stream: DomainStream
    adapt_x: Tensor
    validation_x: Tensor
    validation_y: Tensor
    test_x: Tensor
    test_y: Tensor
    test_id: Tensor
    classes: tuple[str, ...]


__all__ = ["DomainTraining"]
