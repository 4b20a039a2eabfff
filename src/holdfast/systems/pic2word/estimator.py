"""Pic2Word on a user's images and CLIP: learn the mapper, compose queries, search an index."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.devices import check_device
from holdfast.encoders.clip import JointEncoder
from holdfast.encoders.clip_folder import PretrainedCLIP
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.pic2word.method import PLACEHOLDER, Pic2WordLearner, PseudoWordMapper, compose
from holdfast.training import Checkpoints, fit
from holdfast.training.optim import warm_cosine
from holdfast.validation import as_array, check_array, check_fraction, check_integer, check_number, check_positive

CHUNK = 256  # images, or texts, that go through CLIP together


class Pic2Word(Estimator):
    """A mapper from images to pseudo-words of one CLIP, and queries made of an image and a text.

    CLIP is not saved with the mapper: the model folder names it, keeps the hash of its weights, and refuses another.

    Args:
        clip: folder of a CLIP in Hugging Face's layout, or a `JointEncoder`; there is no default.
        prompt: that the mapper learns in; it has one "*".
        hidden: units of each hidden layer of the mapper.
        n_layers: hidden layers.
        dropout: share of units dropped while training.
        steps: optimiser steps.
        batch: images per step.
        lr: learning rate of AdamW; rises over the first tenth of the steps and falls like a cosine.
        weight_decay: of AdamW.
        device: "auto" (CUDA if there is one), "cpu", "cuda", ...
        seed: of initialisation, order and dropout.

    Attributes:
        mapper_: the network.
        clip_name_, clip_fingerprint_: of the CLIP that it belongs to.
        history_: name -> (steps, values) of the loss.

    Example:
        >>> import torch
        >>> from holdfast.encoders.clip import ConvTower, TinyCLIP
        >>> clip = TinyCLIP(["a", "photo", "of", "red", "*"], ConvTower())
        >>> model = Pic2Word(clip, hidden=8, steps=2, batch=4).fit(torch.rand(8, 3, 16, 16))
        >>> model.compose(torch.rand(2, 3, 16, 16), ["a red *", "a *"]).shape
        (2, 64)
    """

    tags = Tags(outputs=("pseudo_words",), tolerance=1e-4)

    def __init__(
        self,
        clip: str | Path | JointEncoder | None = None,
        prompt: str = "a photo of *",
        hidden: int = 512,
        n_layers: int = 2,
        dropout: float = 0.1,
        steps: int = 2000,
        batch: int = 128,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.clip, self.prompt, self.hidden, self.n_layers, self.dropout = clip, prompt, hidden, n_layers, dropout
        self.steps, self.batch, self.lr, self.weight_decay = steps, batch, lr, weight_decay
        self.device, self.seed = device, seed

    # ---------------------------------------------------------------------------------------------------------- fitting
    def fit(
        self,
        X: Any,
        *,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Learn the mapper from images without captions.

        Args:
            X: (N, 3, H, W) images with values in [0, 1], or (N, d) features of CLIP, not scaled.
            progress: called with (steps done, steps).
            checkpoint: folder for the state of the training; the same call continues from it.

        Raises:
            InputError: an argument breaks a rule; features of another CLIP's size; a prompt without "*".
            MissingExtra: `clip` is a folder, and transformers is not installed.
        """
        self._check_settings()
        clip = self.encoder()
        check_placeholders([self.prompt], PLACEHOLDER, "prompt")
        features = self.image_features(X)
        if len(features) < 2:
            raise InputError("X", "must have 2 images or more: the loss compares them", len(features))
        size = min(self.batch, len(features))
        mapper = self._mapper(clip)
        done = fit(
            Pic2WordLearner(mapper, clip, self.prompt, self.lr, self.weight_decay),
            Batches({"features": features}, size, derived_seed(self.seed, "batches")),
            steps=self.steps,
            seed=self.seed,
            schedule=lambda share: warm_cosine(share, 0.1),
            device=self._device(),
            checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, self.steps // 10)),
            on_step=progress,
            log_every=max(1, self.steps // 200),
        )
        self._forget()
        self.mapper_, self.history_ = mapper.cpu().eval(), done.history
        self.clip_name_, self.clip_fingerprint_ = clip.name, clip.fingerprint
        self.sizes_ = (clip.dim, clip.token_dim)
        return self

    def _check_settings(self) -> None:
        for name, low in (("hidden", 1), ("n_layers", 1), ("steps", 1), ("batch", 2), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        check_fraction(self.dropout, "dropout", one=False)
        check_positive(self.lr, "lr")
        check_number(self.weight_decay, "weight_decay", low=0)
        self._device()

    def _device(self) -> str:
        if not isinstance(self.device, str) or self.device != "auto":
            return str(check_device(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"

    def encoder(self) -> JointEncoder:
        """CLIP, frozen, on the device; that of a folder is read once."""
        if isinstance(self.clip, JointEncoder):
            return self.clip.to(self._device()).eval().requires_grad_(False)
        if not isinstance(self.clip, str | Path):
            raise InputError("clip", "must be a folder or a JointEncoder", type(self.clip).__name__)
        kept = getattr(self, "_read", None)
        if kept is None or kept[0] != (str(self.clip), self._device()):
            self._read = ((str(self.clip), self._device()), PretrainedCLIP(self.clip, self._device()))
        found: JointEncoder = self._read[1]
        return found

    def _own(self) -> JointEncoder:
        """CLIP, known to be the one that the mapper belongs to."""
        self.check_fitted()
        clip = self.encoder()
        if clip.fingerprint != self.clip_fingerprint_:
            rule = f"must be {self.clip_name_}, the one that the mapper was trained with"
            raise InputError("clip", rule, f"{clip.name}, with other weights")
        return clip

    def _mapper(self, clip: JointEncoder | None = None) -> PseudoWordMapper:
        sizes = self.sizes_ if clip is None else (clip.dim, clip.token_dim)
        with seeded(derived_seed(self.seed, "init")):
            return PseudoWordMapper(*sizes, self.hidden, self.n_layers, self.dropout)

    def _build(self) -> dict[str, nn.Module]:
        return {"mapper_": self._mapper()}

    # ----------------------------------------------------------------------------------------------------------- using
    @torch.no_grad()
    def image_features(self, X: Any) -> Tensor:
        """(N, d) float32 features, not scaled, of (N, 3, H, W) images; features of CLIP come back as they are."""
        given = as_array(X, "X")
        clip = self.encoder()
        if given.ndim != 4:
            rows = check_array(given, "N d", name="X", dtype="float32", sizes={"d": clip.dim})
            return torch.as_tensor(rows).detach().cpu()
        pixels = torch.as_tensor(check_array(given, "N 3 H W", name="X", dtype="float32", low=0, high=1))
        place = self._device()
        return torch.cat([clip.images(part.to(place)).cpu() for part in pixels.split(CHUNK)])

    @torch.no_grad()
    def pseudo_words(self, X: Any) -> np.ndarray:
        """(N, w) float32 embeddings of tokens, of images or features as in `fit`."""
        self._own()
        return self.mapper_.cpu()(self.image_features(X)).numpy()

    @torch.no_grad()
    def compose(self, X: Any, texts: Sequence[str], placeholder: str = PLACEHOLDER) -> np.ndarray:
        """Unit queries (N, d) float32, each text with the pseudo-word of its image in place of the placeholder.

        Args:
            X: N images or features, or a single one for all texts.
            texts: N texts, each with one placeholder as a word of its own.
            placeholder: a word that is one token of CLIP.

        Raises:
            InputError: a text without the placeholder or with two, a text longer than CLIP's context, another CLIP.
        """
        clip = self._own()
        said = check_placeholders(texts, placeholder, "texts")
        features = self.image_features(X)
        if len(features) == 1:
            features = features.expand(len(said), -1)
        if len(features) != len(said):
            raise InputError("texts", f"must be one for each of {len(features)} images", len(said))
        place, mapper = self._device(), self.mapper_.to(self._device())
        parts = [
            compose(clip, mapper, features[i : i + CHUNK].to(place), said[i : i + CHUNK], placeholder).cpu()
            for i in range(0, len(said), CHUNK)
        ]
        return torch.cat(parts).numpy()

    def search(self, queries: Any, gallery: Any, k: int = 10) -> tuple[np.ndarray, np.ndarray]:
        """The k rows of a gallery nearest to each query by cosine: rows (Q, k) int64 and cosines (Q, k).

        Args:
            queries: (Q, d), from `compose`.
            gallery: (G, d) image features of the same CLIP; scaled to length 1 here.
            k: at most G.
        """
        rows = check_array(gallery, "G d", name="gallery", dtype="float32")
        asked = check_array(queries, "Q d", name="queries", dtype="float32", sizes={"d": rows.shape[1]})
        check_integer(k, "k", low=1, high=len(rows))
        if not rows.any(1).all():
            raise InputError("gallery", "must have no row of zeros", f"row {int((~rows.any(1)).nonzero()[0][0])}")
        q, g = (torch.nn.functional.normalize(torch.as_tensor(v).float(), dim=1) for v in (asked, rows))
        found = (q @ g.T).topk(k)
        return found.indices.numpy(), found.values.numpy()

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        from holdfast.systems.pic2word.tool.sample import CLIP

        features = rng.normal(size=(12, 64))
        settings = {"clip": str(CLIP), "hidden": 8, "steps": 2, "batch": 4, "device": "cpu"}
        return Example({"X": features}, rng.normal(size=(3, 64)), settings)


def check_placeholders(texts: Any, placeholder: str, name: str) -> list[str]:
    """The texts, each of which has the placeholder exactly once, as a word of its own.

    Example:
        >>> check_placeholders(["a cartoon of *"], "*", "texts")
        ['a cartoon of *']
    """
    is_list = isinstance(texts, Sequence | np.ndarray) and not isinstance(texts, str)
    if not is_list or not len(texts) or not all(isinstance(text, str) for text in texts):
        raise InputError(name, "must be a list of texts", texts)
    for text in texts:
        count = text.split().count(placeholder)
        if count != 1 or text.count(placeholder) != 1:
            rule = f"must have {placeholder!r} once, with spaces around it"
            raise InputError(name, rule, repr(text))
    return list(texts)


__all__ = ["Pic2Word", "check_placeholders"]
