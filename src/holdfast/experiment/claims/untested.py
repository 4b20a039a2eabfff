"""What a paper claims and this machine cannot test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from holdfast.errors import InputError
from holdfast.experiment.claims.claim import Claim

if TYPE_CHECKING:
    from holdfast.experiment import Experiment


@dataclass(frozen=True)
class NotTestable(Claim):
    """A claim of the paper that stands beside the tested ones with the reason why it is not tested here.

    It reads no records, and its verdict is always "not testable here". It takes no share of the error rate.

    Attributes:
        text: the claim.
        reason: what is missing: data, weights, hours, people.

    Example:
        >>> NotTestable("Doubles the accuracy on DomainNet", "its 600,000 images and 2^17 steps do not fit here").arms
        ()
    """

    text: str = ""
    reason: str = ""
    sampled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("text", "reason"):
            if not getattr(self, name).strip():
                raise InputError(name, "must say something", repr(getattr(self, name)))
        if self.role == "control":
            raise InputError("role", "must be headline or secondary: a control is tested", self.role)

    @property
    def arms(self) -> tuple[str, ...]:
        return ()

    @property
    def problems(self) -> tuple[str, ...]:
        return ()

    def sentence(self) -> str:
        return self.text

    def rebind(self, problems: Iterable[str]) -> Self:
        return self

    def check(self, experiment: Experiment) -> None:
        """It reads nothing."""
