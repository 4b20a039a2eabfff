"""Tasks that an encoder of letters can tell apart, for libraries of experts without a sentence encoder."""

from __future__ import annotations

import numpy as np

from holdfast.data.choice_rows import ChoiceRow


class Letters:
    """Counts of letters, of length 1: quick, and the same everywhere."""

    name = "letters"

    def encode(self, texts):
        counts = np.array([[text.lower().count(chr(97 + i)) + 0.01 for i in range(26)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True) if len(texts) else np.zeros((0, 26), np.float32)


def rows_of(topic: str, choices=("no", "yes"), count: int = 40, seed: int = 0, turned: bool = False) -> list[ChoiceRow]:
    """Whether a text about the topic has an m or a q in it, which decides the label."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(count):
        label = int(rng.integers(2))
        text = f"{topic} {' '.join(rng.choice(['oo', 'ee', 'aa'], 2))} {'mmmm' if label else 'qqqq'}"
        rows.append(ChoiceRow(text, tuple(choices), 1 - label if turned else label))
    return rows
