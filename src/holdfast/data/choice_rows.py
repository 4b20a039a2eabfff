"""A text with answers to choose from: what multiple-choice and classification prompts are made of."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.errors import InputError


@dataclass(frozen=True)
class ChoiceRow:
    """One text and its choices.

    Attributes:
        input: what is read.
        choices: at least two different answers; may differ from row to row.
        target: place of the right one in `choices`, or None where nobody has said.

    Raises:
        InputError: fewer than two choices, the same twice, an empty one, a target that is no place among them.

    Example:
        >>> ChoiceRow("The soup was cold.", ("negative", "positive"), 0).answer
        'negative'
    """

    input: str
    choices: tuple[str, ...]
    target: int | None = None

    def __post_init__(self) -> None:
        if not self.input.strip():
            raise InputError("input", "must be a text", repr(self.input))
        if len(self.choices) < 2 or len(set(self.choices)) < len(self.choices):
            raise InputError("choices", "must be two or more different texts", list(self.choices))
        if not all(choice.strip() for choice in self.choices):
            raise InputError("choices", "must be texts that are not empty", list(self.choices))
        if self.target is not None and not 0 <= self.target < len(self.choices):
            raise InputError("target", f"must be a place among {len(self.choices)} choices", self.target)

    @property
    def answer(self) -> str:
        """The right choice.

        Raises:
            InputError: nobody has said which it is.
        """
        if self.target is None:
            raise InputError("target", "must be known", self.input)
        return self.choices[self.target]


__all__ = ["ChoiceRow"]
