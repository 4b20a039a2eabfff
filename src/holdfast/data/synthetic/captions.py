"""What one says of a drawing of shapes: a grammar of short captions, its words, and their numbers.

a photo of a circle                         a photo of a red circle
a red circle on white                       a photo of a red circle on white
a photo of a red circle and a blue bar      (two objects side by side, the left one first)
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from holdfast.data.synthetic.shapes import BACKGROUNDS, COLOURS, SHAPES, STYLES, Objects

# How much a caption says, and how often.
FORMS = ("shape", "coloured shape", "coloured shape on background", "all")
SHARES = (0.2, 0.2, 0.1, 0.5)
_COLOURS, _BACKGROUNDS = tuple(COLOURS), tuple(BACKGROUNDS)
WORDS = ("a", "of", "on", "and", "that", "is", *STYLES, *COLOURS, *SHAPES, *BACKGROUNDS)


def caption(objects: Objects, background: Sequence[int], form: Sequence[str]) -> list[str]:
    """One caption per drawing.

    Args:
        objects: N drawings of one or two objects; the style of the first is that of the drawing.
        background: (N,) places in `BACKGROUNDS`.
        form: (N,) of `FORMS`: how much is said of a drawing of one object. Two objects are always said with their
            colours, and without the background unless the form is "all".

    Example:
        >>> import torch
        >>> from holdfast.data.synthetic.shapes import one_object
        >>> caption(one_object(torch.tensor([4]), torch.tensor([0])), [1], ["all"])
        ['a photo of a red ring on black']
    """
    kinds, colours = objects.shape.tolist(), objects.colour.tolist()
    styles, present = objects.style[:, 0].tolist(), objects.present.tolist()
    texts = []
    for i, (behind, how) in enumerate(zip(background, form, strict=True)):
        names = [
            SHAPES[kind] if how == "shape" and sum(present[i]) == 1 else f"{_COLOURS[colour]} {SHAPES[kind]}"
            for kind, colour, there in zip(kinds[i], colours[i], present[i], strict=True)
            if there
        ]
        what = " and ".join(f"a {name}" for name in names)
        what = what if how == "coloured shape on background" else f"a {STYLES[styles[i]]} of {what}"
        says_background = how == "all" or (how == "coloured shape on background" and len(names) == 1)
        texts.append(f"{what} on {_BACKGROUNDS[behind]}" if says_background else what)
    return texts


def drawn_forms(number: int, rng: np.random.Generator) -> list[str]:
    """How much the captions of so many drawings say, drawn with the usual shares."""
    return [FORMS[k] for k in rng.choice(len(FORMS), number, p=SHARES)]


__all__ = ["FORMS", "SHARES", "WORDS", "caption", "drawn_forms"]
