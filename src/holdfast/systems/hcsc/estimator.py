"""HCSC on a user's features or images: an encoder learned without labels, and a tree of clusters."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.augment import Brightness, Compose, Cutout, Noise, RandomAffine, Transform
from holdfast.data.batches import Batches
from holdfast.data.image_arrays import as_images
from holdfast.devices import check_device
from holdfast.errors import InputError
from holdfast.estimator import Estimator, Example, Tags
from holdfast.layers.conv_features import ConvFeatures
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.hcsc.method.learner import HCSCLearner
from holdfast.systems.hcsc.method.prototypes import check_clusters, hierarchical_kmeans
from holdfast.systems.hcsc.tool.rows import read_rows
from holdfast.training import Checkpoints, fit
from holdfast.training.inference import forward_in_batches
from holdfast.training.optim import warm_cosine
from holdfast.validation import as_array, check_array, check_choice, check_fraction, check_integer, check_positive

FEATURES = Noise(0.3)  # of the features' deviation
PHOTOS = Compose((RandomAffine(15, (0.8, 1.4), 0.1, 0.1), Brightness(), Cutout(6)))


class HCSC(Estimator):
    """An encoder of unlabelled images or features, trained against a queue without likely false negatives.

    Args:
        backbone: "small" (24,000 parameters for images; two layers for features), or a module with an attribute `dim`
            that maps rows to (n, dim); a copy of it is trained.
        dim: numbers in the embedding that the loss and the clusters see.
        n_clusters: clusters per level, falling. None = a 20th, 80th and 320th of the rows, but few.
        epochs: passes over the rows.
        warmup: passes before the first tree. None = a fifth of the passes.
        batch: rows per step.
        queue: keys that wait; rounded down to a multiple of the batch, and to what the rows fill.
        m, T: momentum of the key encoder; temperature.
        lr: learning rate of SGD, falling like a cosine.
        augment: draws one view of a batch. None = affine maps, brightness and a cut-out for images; noise for features.
        size: side in pixels that images of a folder are brought to.
        device: "auto" (CUDA if there is one), "cpu", "cuda", ...
        seed: of initialisation, order, views and clusters.

    Attributes:
        network_: the key encoder with its head.
        tree_: the `PrototypeTree` of the rows of the fit, made after training.
        history_: name -> (steps, values) of the loss.
        row_shape_: of one row; center_, scale_: features are shifted and scaled by.

    Example:
        >>> import numpy as np
        >>> from holdfast.systems.hcsc import HCSC
        >>> X = np.random.default_rng(0).normal(size=(64, 6))
        >>> model = HCSC(n_clusters=(8, 4, 2), epochs=3, batch=16).fit(X)
        >>> model.embed(X).shape, len(model.tree_.path(0))
        ((64, 64), 3)
    """

    tags = Tags(outputs=("embed",), tolerance=1e-4)

    def __init__(
        self,
        backbone: str | nn.Module = "small",
        dim: int = 32,
        n_clusters: Sequence[int] | None = None,
        epochs: int = 50,
        warmup: int | None = None,
        batch: int = 128,
        queue: int = 1024,
        m: float = 0.99,
        T: float = 0.2,
        lr: float = 0.06,
        augment: Transform | None = None,
        size: int = 32,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        self.backbone, self.dim, self.n_clusters, self.epochs, self.warmup = backbone, dim, n_clusters, epochs, warmup
        self.batch, self.queue, self.m, self.T, self.lr, self.augment = batch, queue, m, T, lr, augment
        self.size, self.device, self.seed = size, device, seed

    def fit(
        self,
        X: Any,
        *,
        progress: Callable[[int, int], None] | None = None,
        checkpoint: str | Path | None = None,
    ) -> Self:
        """Train, and make the tree.

        Args:
            X: (N, d) features; (N, C, H, W) or (N, H, W) images, floats in [0, 1] or uint8; or a folder of images.
            progress: called with (steps done, steps).
            checkpoint: folder for the state of the training; the same call continues from it.
        """
        warmup = self._check_settings()
        given = self._given(X)
        counts = check_clusters(usual_clusters(len(given)) if self.n_clusters is None else self.n_clusters, len(given))
        center, scale = _moments(given)
        rows, size = (given - center) / scale, min(self.batch, len(given))
        queue = max(1, min(self.queue, len(rows)) // size) * size
        how: dict[str, Any] = {"n_clusters": counts, "warmup": warmup, "seed": self.seed, "queue": queue, "m": self.m}
        parts = self._parts(tuple(given.shape[1:]))
        with seeded(derived_seed(self.seed, "head")):
            learner = HCSCLearner(*parts, temperature=self.T, lr=self.lr, **how)
        steps = self.epochs * (len(rows) // size)
        done = fit(
            learner,
            Batches({"x": rows}, size, derived_seed(self.seed, "batches"), index="index"),
            steps=steps, seed=self.seed, schedule=warm_cosine, device=self._device(), on_step=progress,
            checkpoints=None if checkpoint is None else Checkpoints(checkpoint, every=max(1, steps // 10)),
            log_every=max(1, steps // 200),
        )  # fmt: skip
        self._forget()
        self.row_shape_, self.history_, self.center_, self.scale_ = tuple(given.shape[1:]), done.history, center, scale
        self.network_ = learner.followers.module.cpu().eval()
        self.tree_ = hierarchical_kmeans(self._run("", rows), counts, seed=self.seed, temperature=self.T)
        return self

    def _check_settings(self) -> int:
        """The passes before the first tree."""
        for name, low in (("dim", 1), ("epochs", 1), ("batch", 1), ("queue", 1), ("size", 4), ("seed", 0)):
            check_integer(getattr(self, name), name, low=low)
        check_fraction(self.m, "m")
        check_positive(self.T, "T")
        check_positive(self.lr, "lr")
        if isinstance(self.backbone, nn.Module):
            check_integer(getattr(self.backbone, "dim", None), "backbone.dim", low=1)
        else:
            check_choice(self.backbone, ("small",), "backbone")
        if self.augment is not None and not callable(self.augment):
            raise InputError("augment", "must be a transform: called with rows and a generator", self.augment)
        self._device()
        return self.epochs // 5 if self.warmup is None else check_integer(self.warmup, "warmup", low=0)

    def _device(self) -> str:
        if not isinstance(self.device, str) or self.device != "auto":
            return str(check_device(self.device))
        return "cuda" if torch.cuda.is_available() else "cpu"

    def _given(self, X: Any, shape: tuple[int, ...] | None = None) -> Tensor:
        """Rows as float32 on the CPU; `shape` of one row is that of the fit."""
        given = as_array(read_rows(Path(X), self.size, shape)[0] if isinstance(X, str | Path) else X, "X")
        if given.ndim in (3, 4):
            rows = as_images(given, "X", {})
        else:
            rows = torch.as_tensor(check_array(given, "N d", name="X", dtype="float32")).detach().cpu()
        if shape is not None and tuple(rows.shape[1:]) != shape:
            raise InputError("X", f"must have rows of shape {shape}, as in the fit", f"{tuple(rows.shape[1:])}")
        if shape is None and len(rows) < 4:
            raise InputError("X", "must have 4 rows or more", len(rows))
        return rows

    def _parts(self, shape: tuple[int, ...]) -> tuple[nn.Module, Transform, tuple[int, int]]:
        """Encoder, augmentation and the sizes of the head."""
        encoder: Any = copy.deepcopy(self.backbone)
        with seeded(derived_seed(self.seed, "init")):
            if not isinstance(encoder, nn.Module) and len(shape) == 3:
                encoder = ConvFeatures(shape[0])
            elif not isinstance(encoder, nn.Module):
                encoder = nn.Sequential(nn.Linear(shape[0], 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
                encoder.dim = 64
        return encoder, self.augment or (PHOTOS if len(shape) == 3 else FEATURES), (int(encoder.dim), self.dim)

    def _build(self) -> dict[str, nn.Module]:
        return {"network_": HCSCLearner(*self._parts(tuple(self.row_shape_))).followers.module}

    # ----------------------------------------------------------------------------------------------------------- using
    def _run(self, part: str, rows: Tensor) -> Tensor:
        module = self.network_.get_submodule(part)
        found = F.normalize(forward_in_batches(module.to(self._device()), rows).float(), dim=1)
        module.to("cpu")
        return found

    def _scaled(self, X: Any) -> Tensor:
        self.check_fitted()
        return (self._given(X, tuple(self.row_shape_)) - torch.as_tensor(self.center_)) / torch.as_tensor(self.scale_)

    def embed(self, X: Any) -> np.ndarray:
        """(N, F) float32 features of the encoder, length 1, of rows as in `fit`: for nearest neighbours and probes."""
        return self._run("0", self._scaled(X)).numpy()

    def project(self, X: Any) -> np.ndarray:
        """(N, dim) float32 of length 1: what the loss and the clusters see."""
        return self._run("", self._scaled(X)).numpy()

    def paths(self, X: Any) -> np.ndarray:
        """(N, L) int64 clusters of rows, from fine to coarse, by the nearest finest prototype."""
        projected = self.project(X)
        return self.tree_.place(torch.from_numpy(projected)).numpy()

    @classmethod
    def example(cls, rng: np.random.Generator) -> Example:
        settings = {"n_clusters": (4, 2), "epochs": 2, "warmup": 1, "batch": 8, "queue": 16, "device": "cpu"}
        return Example({"X": rng.normal(size=(24, 5))}, rng.normal(size=(3, 5)), settings)


def _moments(rows: Tensor) -> tuple[Tensor, Tensor]:
    """What features are shifted and scaled by; images stay as they are."""
    if rows.ndim > 2:
        return torch.zeros(()), torch.ones(())
    center = rows.mean(0)
    return center, (rows - center).square().mean().sqrt().clamp_min(1e-12)


def usual_clusters(rows: int) -> tuple[int, ...]:
    """Three levels that suit a number of rows, fewer where these are few; at most 240, 60 and 15 clusters.

    Example:
        >>> usual_clusters(4800), usual_clusters(30), usual_clusters(4)
        ((240, 60, 15), (3, 2), (2,))
    """
    counts = [max(2, min(most, -(-rows // part))) for most, part in ((240, 20), (60, 80), (15, 320))]
    counts[0] = max(counts[0], min(3, rows // 2))
    return tuple(sorted(set(counts), reverse=True))


__all__ = ["HCSC", "usual_clusters"]
