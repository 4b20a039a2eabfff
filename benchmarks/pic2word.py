"""The text tower up to a text's end against all of CLIP's 77 tokens, as the reference computes them: a step of the
mapper's training (forward, backward to the pseudo-words) and a query, same weights, same run, medians.

    python benchmarks/pic2word.py [--threads 1] [--repeats 5] [--batch 32]

The tower is as large as that of CLIP ViT-B/32 (12 layers, width 512, 8 heads), with random weights.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from holdfast.data.synthetic.captions import WORDS
from holdfast.encoders.clip import TinyCLIP, VisionTower
from holdfast.encoders.clip_folder import PretrainedCLIP, write_clip
from holdfast.losses.contrastive import symmetric_info_nce
from holdfast.systems.pic2word import encode_with_pseudo
from holdfast.testing.timing import interleaved, medians


def step(clip: PretrainedCLIP, tokens: Tensor, images: Tensor, pseudo: Tensor) -> Callable[[], None]:
    """Loss of a batch and its gradient."""

    def run() -> None:
        words = pseudo.clone().requires_grad_()
        texts = encode_with_pseudo(clip, tokens, words, clip.token("*"))
        symmetric_info_nce(images, texts, clip.scale).backward()

    return run


def query(clip: PretrainedCLIP, tokens: Tensor, pseudo: Tensor) -> Callable[[], None]:
    """One text."""

    @torch.no_grad()
    def run() -> None:
        encode_with_pseudo(clip, tokens[:1], pseudo[:1], clip.token("*"))

    return run


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    tiny = TinyCLIP([*WORDS, "*"], VisionTower(dim=512), context=77, width=512, depth=12, heads=8, dim=512)
    with tempfile.TemporaryDirectory() as folder:
        write_clip(tiny, Path(folder) / "clip")
        clip = PretrainedCLIP(Path(folder) / "clip")
    short = clip.tokens(["a photo of *"]).expand(asked.batch, -1)
    padding = short[:, -1:].expand(-1, clip.context - short.shape[1])
    whole = torch.cat([short, padding], 1)
    images, pseudo = torch.randn(asked.batch, clip.dim), torch.randn(asked.batch, clip.token_dim)
    with torch.no_grad():
        a, b = (encode_with_pseudo(clip, tokens, pseudo, clip.token("*")) for tokens in (short, whole))
    assert torch.allclose(a, b, atol=1e-3), "both must give the same features"
    out = {}
    for name, make in (("step", lambda t: step(clip, t, images, pseudo)), ("query", lambda t: query(clip, t, pseudo))):
        times = medians(interleaved({"to the end": make(short), "77 tokens": make(whole)}, asked.repeats))
        out[name] = {**times, "ratio": times["77 tokens"] / times["to the end"]}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
