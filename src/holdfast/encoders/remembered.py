"""An encoder of texts whose vectors are known already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.validation import check_array, check_same_length


class Remembered:
    """Gives back vectors that were computed before; a text that was not is asked for elsewhere, or refused.

    Args:
        texts: N different texts.
        vectors: (N, d) float32.
        name: of the encoder that made them.
        otherwise: an encoder for texts that are not among them; None refuses them.

    Raises:
        InputError: not as many vectors as texts.

    Example:
        >>> Remembered(["a", "b"], np.eye(2, dtype=np.float32), "two").encode(["b"]).tolist()
        [[0.0, 1.0]]
    """

    def __init__(self, texts: Sequence[str], vectors: Any, name: str, otherwise: Any = None) -> None:
        self._vectors = np.asarray(check_array(vectors, "N d", name="vectors", dtype="float32"))
        check_same_length(texts=texts, vectors=self._vectors)
        self._row = {text: i for i, text in enumerate(texts)}
        self.name, self._otherwise = name, otherwise

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(N, d) float32.

        Raises:
            InputError: a text that is not known, where there is nobody else to ask.
        """
        new = [text for text in texts if text not in self._row]
        if not new:
            return np.asarray(self._vectors[[self._row[text] for text in texts]])
        if self._otherwise is None:
            raise InputError("texts", "must be among those that are remembered", new[0])
        made = dict(zip(new, self._otherwise.encode(new), strict=True))
        rows = [made[text] if text in made else self._vectors[self._row[text]] for text in texts]
        return np.stack(rows).astype(np.float32)


__all__ = ["Remembered"]
