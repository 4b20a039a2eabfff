"""The sheet of confident mistakes and what is said of it."""

import torch
from PIL import Image

from holdfast.report.mistakes import draw_mistakes


def test_mistakes_are_drawn_and_named(tmp_path):
    images = torch.rand(5, 1, 8, 8)
    logits = torch.tensor([[5.0, 0], [0, 5], [9, 0], [0, 1], [3, 0]])
    caption = draw_mistakes(tmp_path / "m.png", images, torch.tensor([0, 0, 1, 0, 0]), logits, ("a", "b"))
    assert caption.startswith("3 of 5 test images are wrong")
    assert caption.endswith("b taken for a, a taken for b, a taken for b")  # the most confident first
    assert Image.open(tmp_path / "m.png").size == (8 * 64, 64)
    none = draw_mistakes(tmp_path / "n.png", images, logits.argmax(1), logits, ("a", "b"))
    assert none == "0 of 5 test images are wrong"
