"""Joint encoders of images and texts (CLIP): two towers into one space, with a door into the text tower.

Radford et al., ICML 2021, arXiv 2103.00020. What is done with the towers here needs more than `encode`: a text may be
given as embeddings of its tokens, some of which no vocabulary holds (pseudo-words, prompts that are learned). The text
tower is causal and is read at the end of a text, so what stands behind the end need not be computed at all.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.layers.attention import Attention
from holdfast.layers.transformer import Block, FeedForward, Stack
from holdfast.losses.contrastive import symmetric_info_nce
from holdfast.training.learner import Learner, Parts
from holdfast.validation import check_array

START, END, UNKNOWN = "<start>", "<end>", "<unknown>"


class JointEncoder(nn.Module, ABC):
    """Images and texts as vectors of one space.

    Attributes:
        dim: d of the common space.
        token_dim: w of the embeddings of tokens.
        context: most tokens of a text, its start and end among them.
        scale: what cosines are multiplied by, one over CLIP's temperature.
        name: what people call it.
        fingerprint: SHA-256 of the weights, to tell one from another.
    """

    dim: int
    token_dim: int
    context: int
    scale: float
    name: str

    @abstractmethod
    def images(self, pixels: Tensor) -> Tensor:
        """(N, d) features, not scaled, of (N, 3, H, W) images with values in [0, 1]."""

    @abstractmethod
    def tokens(self, texts: Sequence[str]) -> Tensor:
        """(N, T) int64 numbers of tokens with start and end, filled up behind the end to the longest text.

        Raises:
            InputError: a text longer than the context; a word that the tokens cannot say.
        """

    @abstractmethod
    def ends(self, tokens: Tensor) -> Tensor:
        """(N,) int64: where each row of `tokens` ends."""

    @abstractmethod
    def embed(self, tokens: Tensor) -> Tensor:
        """(N, T, w) embeddings of (N, T) tokens, without their positions."""

    @abstractmethod
    def from_embeddings(self, embedded: Tensor, ends: Tensor) -> Tensor:
        """(N, d) features, not scaled, of texts given as (N, T, w) embeddings of tokens that end at `ends` (N,).

        Gradients flow to the embeddings. T may be less than the context: what is behind the last end has no effect.
        """

    @property
    def fingerprint(self) -> str:
        digest = hashlib.sha256()
        for name, value in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def texts(self, texts: Sequence[str]) -> Tensor:
        """(N, d) features, not scaled, of texts."""
        tokens = self.tokens(texts)
        return self.from_embeddings(self.embed(tokens), self.ends(tokens))

    def token(self, word: str) -> int:
        """The number of a word that is one token.

        Raises:
            InputError: it is none, or several.
        """
        row = self.tokens([word])[0]
        between = row[1 : int(self.ends(row[None]))]
        if len(between) != 1:
            raise InputError("word", "must be a single token", f"{word!r}, which is {len(between)}")
        return int(between[0])


class VisionTower(nn.Module):
    """A vision transformer as CLIP has it: patches, a class token, norms before the first block and behind the last.

    Args:
        pixels, patch: rows of an image, and of a patch that divides it.
        width, depth, heads: of the transformer.
        dim: d of the output.
    """

    def __init__(
        self, pixels: int = 16, patch: int = 4, width: int = 64, depth: int = 1, heads: int = 4, dim: int = 64
    ) -> None:
        super().__init__()
        if pixels % patch:
            raise InputError("patch", f"must divide {pixels}, the rows of an image", patch)
        self.pixels, self.patch, self.heads = pixels, patch, heads
        self.patches = nn.Conv2d(3, width, patch, patch, bias=False)
        self.kind = nn.Parameter(torch.randn(width) * width**-0.5)
        self.positions = nn.Parameter(torch.randn((pixels // patch) ** 2 + 1, width) * width**-0.5)
        self.before = nn.LayerNorm(width)
        self.blocks = _blocks(width, depth, heads)
        self.project = nn.Linear(width, dim, bias=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """(N, d) of (N, 3, H, W)."""
        x = self.patches(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.kind.expand(len(x), 1, -1), x], 1) + self.positions
        # Only the class token is read: the norm behind the last block is taken of it alone.
        return self.project(self.blocks.norm(_without_norm(self.blocks, self.before(x))[:, 0]))


class ConvTower(nn.Sequential):
    """Three strided convolutions and a linear map: it learns small drawings in far fewer steps than a transformer.

    Args:
        pixels: rows of an image, a multiple of 8.
        width: channels, half of them behind the first convolution.
        dim: d of the output.
    """

    def __init__(self, pixels: int = 16, width: int = 64, dim: int = 64) -> None:
        if pixels % 8:
            raise InputError("pixels", "must be a multiple of 8", pixels)
        super().__init__(
            nn.Conv2d(3, width // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU(),
            nn.Conv2d(width, width, 3, 2, 1), nn.ReLU(), nn.Flatten(), nn.Linear(width * (pixels // 8) ** 2, dim),
        )  # fmt: skip
        self.pixels = pixels


class TextTower(nn.Module):
    """A causal transformer, read where a text ends.

    Args:
        vocabulary: number of tokens.
        context: most tokens of a text.
        width, depth, heads: of the transformer.
        dim: d of the output.
    """

    def __init__(
        self, vocabulary: int, context: int = 14, width: int = 64, depth: int = 1, heads: int = 4, dim: int = 64
    ) -> None:
        super().__init__()
        self.heads = heads
        self.embedding = nn.Embedding(vocabulary, width)
        self.positions = nn.Parameter(torch.randn(context, width) * 0.02)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.blocks = _blocks(width, depth, heads)
        self.project = nn.Linear(width, dim, bias=False)

    def forward(self, embedded: Tensor, ends: Tensor) -> Tensor:
        """(N, d) of (N, T, w) embeddings of tokens and (N,) ends."""
        x = _without_norm(self.blocks, embedded + self.positions[: embedded.shape[1]], causal=True)
        at_end = x[torch.arange(len(x), device=x.device), ends]
        return self.project(self.blocks.norm(at_end))


class TinyCLIP(JointEncoder):
    """A CLIP small enough to be trained in a minute, with words as tokens.

    Args:
        words: the vocabulary, words without spaces; texts are split at spaces.
        vision: images to (N, d), such as a `ConvTower`; with a `VisionTower` it can be written in the format of
            `holdfast.encoders.clip_folder`.
        context, width, depth, heads: of the text tower.
        dim: d.

    Raises:
        InputError: a word twice, or with a space.

    Example:
        >>> clip = TinyCLIP(["a", "red", "circle", "*"], ConvTower())
        >>> clip.texts(["a red circle", "a *"]).shape
        torch.Size([2, 64])
        >>> clip.images(torch.rand(3, 3, 16, 16)).shape
        torch.Size([3, 64])
    """

    name = "TinyCLIP"

    def __init__(
        self,
        words: Sequence[str],
        vision: nn.Module,
        *,
        context: int = 14,
        width: int = 64,
        depth: int = 1,
        heads: int = 4,
        dim: int = 64,
    ) -> None:
        super().__init__()
        if len(set(words)) != len(words) or any(w.split() != [w] for w in words):
            raise InputError("words", "must be words without spaces, each once", list(words)[:5])
        self.words = (START, END, UNKNOWN, *words)
        self._number = {word: i for i, word in enumerate(self.words)}
        self.dim, self.token_dim, self.context = dim, width, context
        self.vision = vision
        self.text = TextTower(len(self.words), context, width, depth, heads, dim)
        self.log_scale = nn.Parameter(torch.tensor(14.0).log())

    @property
    def scale(self) -> float:  # type: ignore[override]
        return float(self.log_scale.detach().exp())

    def images(self, pixels: Tensor) -> Tensor:
        side = getattr(self.vision, "pixels", "_")
        check_array(pixels, f"N 3 {side} {side}", name="pixels", dtype="floating")
        found: Tensor = self.vision(pixels)
        return found

    def tokens(self, texts: Sequence[str]) -> Tensor:
        rows = []
        for text in texts:
            words = text.split()
            unknown = next((w for w in words if w not in self._number or w in (START, END, UNKNOWN)), None)
            if unknown is not None:
                raise InputError("text", f"must be made of words that {self.name} knows", f"{unknown!r} in {text!r}")
            rows.append([self._number[w] for w in (START, *words, END)])
        longest = max(map(len, rows), default=2)
        if longest > self.context:
            text = max(texts, key=lambda t: len(t.split()))
            raise InputError("text", f"must have at most {self.context - 2} words", f"{longest - 2} in {text!r}")
        filled = [row + [self._number[END]] * (longest - len(row)) for row in rows]
        return torch.tensor(filled, device=self.log_scale.device).reshape(len(rows), longest)

    def ends(self, tokens: Tensor) -> Tensor:
        return (tokens == self._number[END]).int().argmax(1)

    def embed(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.text.embedding(tokens)
        return found

    def from_embeddings(self, embedded: Tensor, ends: Tensor) -> Tensor:
        found: Tensor = self.text(embedded, ends)
        return found


class ClipLearner(Learner):
    """CLIP's loss of images and the texts that say them, with the scale learned (at most 100, as CLIP's).

    A batch holds "pixels", "tokens" (N, T) and nothing else.

    Args:
        clip: trained in place.
        lr, weight_decay: of AdamW.
    """

    def __init__(self, clip: TinyCLIP, lr: float = 2e-3, weight_decay: float = 0.01) -> None:
        super().__init__()
        self.clip, self.lr, self.weight_decay = clip, lr, weight_decay

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        clip, tokens = self.clip, batch["tokens"]
        texts = clip.from_embeddings(clip.embed(tokens), clip.ends(tokens))
        scale = clip.log_scale.exp().clamp(max=100.0)
        return symmetric_info_nce(clip.vision(batch["pixels"]), texts, scale), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [torch.optim.AdamW(self.clip.parameters(), lr=self.lr, weight_decay=self.weight_decay)]


def _blocks(width: int, depth: int, heads: int) -> Stack:
    def block() -> Block:
        return Block(width, Attention(width, heads, bias=True), FeedForward(width, 2 * width, F.gelu))

    return Stack([block() for _ in range(depth)], nn.LayerNorm(width))


def _without_norm(stack: Stack, x: Tensor, causal: bool = False) -> Tensor:
    for block in stack.blocks:
        x = block(x, causal=causal)
    return x


__all__ = ["ClipLearner", "ConvTower", "JointEncoder", "TextTower", "TinyCLIP", "VisionTower"]
