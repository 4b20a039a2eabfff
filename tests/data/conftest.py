import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def make_images():
    """Writes class folders of small images: make_images(root, {"cat": 3, "dog": 2}) -> root."""

    def write(root, counts, size=(12, 9), mode="RGB", suffix=".png", seed=0):
        rng = np.random.default_rng(seed)
        for name, count in counts.items():
            folder = root / name if name else root
            folder.mkdir(parents=True, exist_ok=True)
            for i in range(count):
                pixels = rng.integers(0, 256, (*size[::-1], *([3] if mode == "RGB" else [])), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{i:03d}{suffix}")
        return root

    return write
