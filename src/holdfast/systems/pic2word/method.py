"""Pic2Word: a picture as one word of a text encoder, so that text can change what is searched for.

Notation: f(x) image features, not scaled; phi the mapper; s = phi(f(x)) a pseudo-word among the embeddings of tokens;
t(s) the text features of "a photo of *" with s in place of "*".

Differences from the reference code (google-research/composed_image_retrieval): the place of "*" and the end of a text
are looked for in every row, not in the first one; in training "*" is replaced, as at test, where the reference inserts
before the end (the sequences are the same); what stands behind the end is not computed (the tower is causal); text
alone is a text without "*", where the reference's is not always; the gathered features of other processes carry their
gradients. Rates and numbers of steps are for small sets of images, the paper's are 1e-4 and 30 passes over CC3M.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.encoders.clip import JointEncoder
from holdfast.errors import InputError
from holdfast.losses.contrastive import symmetric_info_nce
from holdfast.training.distributed import gather_rows
from holdfast.training.learner import Learner, Parts
from holdfast.validation import check_fraction

PLACEHOLDER = "*"


class PseudoWordMapper(nn.Module):
    """phi: (N, image_dim) features, not scaled, to (N, token_dim) embeddings of a token.

    n_layers of linear, dropout, relu (in this order), and a linear map.

    Args:
        image_dim, token_dim: d and w.
        hidden: units of each layer.
        n_layers: how many.
        dropout: share of units dropped while training.

    Example:
        >>> PseudoWordMapper(8, 6, hidden=16)(torch.zeros(2, 8)).shape
        torch.Size([2, 6])
    """

    def __init__(
        self, image_dim: int, token_dim: int, hidden: int = 512, n_layers: int = 2, dropout: float = 0.1
    ) -> None:
        super().__init__()
        sizes = [image_dim, *[hidden] * n_layers]
        self.layers = nn.Sequential(
            *(
                nn.Sequential(nn.Linear(before, after), nn.Dropout(dropout), nn.ReLU())
                for before, after in itertools.pairwise(sizes)
            )
        )
        self.fc_out = nn.Linear(sizes[-1], token_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(N, w) of (N, d)."""
        return self.fc_out(self.layers(features))


def encode_with_pseudo(encoder: JointEncoder, tokens: Tensor, pseudo: Tensor, placeholder: int) -> Tensor:
    """Text features (B, d), not scaled, with pseudo-words in the places of the placeholder.

    Args:
        encoder: of texts.
        tokens: (B, T) numbers of tokens.
        pseudo: (B, w), or (B, P, w) for P placeholders a row, in their order.
        placeholder: number of its token.

    Raises:
        InputError: a row with another number of placeholders than P; widths that differ.

    Example:
        >>> from holdfast.encoders.clip import ConvTower, TinyCLIP
        >>> clip = TinyCLIP(["a", "red", "ball", "*"], ConvTower())
        >>> s = clip.embed(torch.tensor([clip.token("red")]))
        >>> found = encode_with_pseudo(clip, clip.tokens(["a * ball"]), s, clip.token("*"))
        >>> torch.allclose(found, clip.texts(["a red ball"]), atol=1e-6)
        True
    """
    words = pseudo[:, None] if pseudo.ndim == 2 else pseudo
    at = tokens == placeholder
    if words.ndim != 3 or len(words) != len(tokens) or words.shape[2] != encoder.token_dim:
        rule = f"must have shape (B={len(tokens)}, w={encoder.token_dim}) or (B, P, w)"
        raise InputError("pseudo", rule, tuple(pseudo.shape))
    if tokens.shape[1] > encoder.context:
        raise InputError("tokens", f"must be at most {encoder.context} a text", tokens.shape[1])
    counts = at.sum(1)
    if bool((counts != words.shape[1]).any()):
        row = int((counts != words.shape[1]).int().argmax())
        rule = f"must have {words.shape[1]} of the placeholder in every row"
        raise InputError("text", rule, f"{int(counts[row])} in row {row}")
    embedded = encoder.embed(tokens)
    # Rows of the mask come in order, and the placeholders of each from left to right, as those of `words` do.
    placed = torch.zeros_like(embedded).masked_scatter(at[:, :, None], words.to(embedded.dtype))
    return encoder.from_embeddings(torch.where(at[:, :, None], placed, embedded), encoder.ends(tokens))


class Pic2WordLearner(Learner):
    """phi learns that "a photo of *" says what the image shows: CLIP's loss of images and texts, CLIP frozen.

    A batch holds "features", (B, d) image features that are not scaled. Gradients flow through the text tower to phi.

    Args:
        mapper: phi.
        encoder: frozen here.
        prompt: with one placeholder.
        lr, weight_decay: of AdamW (biases do not decay).
    """

    def __init__(
        self,
        mapper: PseudoWordMapper,
        encoder: JointEncoder,
        prompt: str = "a photo of *",
        lr: float = 1e-4,
        weight_decay: float = 0.1,
    ) -> None:
        super().__init__()
        self.mapper = mapper
        # Not a part of the learner: it is not trained, moved into evaluation mode with it, or saved.
        self._encoder = [encoder.requires_grad_(False).eval()]
        self._tokens = encoder.tokens([prompt])
        self._placeholder = encoder.token(PLACEHOLDER)
        self.lr, self.weight_decay = lr, weight_decay

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        features, (encoder,) = batch["features"], self._encoder
        tokens = self._tokens.to(features.device).expand(len(features), -1)
        texts = encode_with_pseudo(encoder, tokens, self.mapper(features), self._placeholder)
        return symmetric_info_nce(gather_rows(features), gather_rows(texts), encoder.scale), {}

    def optimizers(self) -> list[torch.optim.Optimizer]:
        weights = [p for p in self.mapper.parameters() if p.ndim > 1]
        biases = [p for p in self.mapper.parameters() if p.ndim <= 1]
        groups = [{"params": weights, "weight_decay": self.weight_decay}, {"params": biases, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, lr=self.lr, betas=(0.9, 0.98), eps=1e-6)]


# ------------------------------------------------------------------------------------------------------------ queries
def compose(
    encoder: JointEncoder, mapper: PseudoWordMapper, features: Tensor, texts: Sequence[str], placeholder: str
) -> Tensor:
    """Unit queries (B, d): each text with the pseudo-word of its image in place of the placeholder."""
    words = mapper(features)
    found = encode_with_pseudo(encoder, encoder.tokens(texts), words, encoder.token(placeholder))
    return F.normalize(found, dim=1)


def image_query(features: Tensor) -> Tensor:
    """The image alone, scaled to length 1."""
    return F.normalize(features, dim=1)


def text_query(encoder: JointEncoder, texts: Sequence[str]) -> Tensor:
    """The text alone, scaled to length 1; write it without a placeholder."""
    return F.normalize(encoder.texts(texts), dim=1)


def average_query(image: Tensor, text: Tensor, weight: float = 0.5) -> Tensor:
    """Weighted mean of unit vectors, scaled to length 1.

    Args:
        image, text: (B, d), not necessarily of length 1.
        weight: of the image, in [0, 1].

    Example:
        >>> average_query(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
        tensor([[0.7071, 0.7071]])
    """
    check_fraction(weight, "weight")
    return F.normalize(weight * F.normalize(image, dim=1) + (1 - weight) * F.normalize(text, dim=1), dim=1)


def slerp_query(image: Tensor, text: Tensor, weight: float = 0.5) -> Tensor:
    """The point on the arc from text to image, a share `weight` of the way.

    Example:
        >>> slerp_query(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 1.0)
        tensor([[1., 0.]])
    """
    check_fraction(weight, "weight")
    a, b = F.normalize(image, dim=1), F.normalize(text, dim=1)
    angle = (a * b).sum(1, keepdim=True).clamp(-1, 1).acos()
    near = angle.sin() < 1e-4  # the arc is a line, or there are many
    safe = torch.where(near, torch.ones_like(angle), angle)
    arc = ((weight * safe).sin() * a + ((1 - weight) * safe).sin() * b) / safe.sin()
    return F.normalize(torch.where(near, weight * a + (1 - weight) * b, arc), dim=1)


__all__ = [
    "PLACEHOLDER", "Pic2WordLearner", "PseudoWordMapper", "average_query", "compose", "encode_with_pseudo",
    "image_query", "slerp_query", "text_query",
]  # fmt: skip
