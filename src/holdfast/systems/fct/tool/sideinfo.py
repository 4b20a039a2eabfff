"""Side-information: a second, task-agnostic embedding made at the time of the old model and stored beside it.

It is trained on the old model's images, without labels and without knowing the new model (section 3.2 of the paper,
which uses SimCLR). Every trainer here is a setting: `train(images, ...)` gives the encoder.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from holdfast.baselines.autoencoder import Autoencoder
from holdfast.baselines.bct import bct_loss
from holdfast.baselines.simclr import SimCLR
from holdfast.data.augment import Compose, Noise, RandomAffine, Transform
from holdfast.data.images import Images, image_batches
from holdfast.errors import InputError
from holdfast.layers.principal_components import PrincipalComponents
from holdfast.losses.contrastive import nt_xent
from holdfast.randomness import derived_seed, seeded
from holdfast.training import fit
from holdfast.training.learner import Learner
from holdfast.training.optim import warm_cosine

# Rotation by up to 0.3 rad, magnification 0.8 to 1.2, shifts by up to 15 % of half a side.
DIGIT_VIEWS = Compose((RandomAffine(degrees=17.19, scale=(0.8, 1.2), shear=0.0, translate=0.075), Noise(0.1)))


class SideInfo(ABC):
    """A way of making side-information. Subclasses are frozen dataclasses."""

    @abstractmethod
    def train(
        self,
        images: Images,
        build: Callable[[], nn.Module],
        *,
        seed: int = 0,
        device: str = "cpu",
        workers: int = 0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> nn.Module:
        """The trained encoder, images (N, C, H, W) to (N, D), in evaluation mode on the device.

        Args:
            images: of the old model's classes; labels are not looked at.
            build: makes an untrained encoder that has `dim`.
            seed: of everything random.
            workers: processes that decode images.
            on_step: called with (steps done, steps).
        """


class _Learnt(SideInfo):
    """What SimCLR and the autoencoder share: passes of the training loop with Adam under half a cosine."""

    epochs: int
    batch: int

    @abstractmethod
    def learner(self, encoder: nn.Module, shape: tuple[int, ...]) -> Learner:
        """The learner around an untrained encoder, for images of a shape (C, H, W)."""

    def train(
        self,
        images: Images,
        build: Callable[[], nn.Module],
        *,
        seed: int = 0,
        device: str = "cpu",
        workers: int = 0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> nn.Module:
        if len(images) < 2:
            raise InputError("images", "must be at least 2", len(images))
        with seeded(derived_seed(seed, "init")):
            learner = self.learner(build(), tuple(images.read([0]).shape[1:]))
        batches = image_batches(images, self.batch, derived_seed(seed, "batches"), workers)
        steps = self.epochs * max(1, len(images) // self.batch)
        trained = fit(
            learner,
            batches,
            steps=steps,
            seed=derived_seed(seed, "augment"),
            schedule=warm_cosine,
            device=device,
            on_step=on_step,
            log_every=max(1, steps // 10),
        )
        encoder = trained.learner.encoder
        assert isinstance(encoder, nn.Module)
        return encoder.eval()


@dataclass(frozen=True)
class SimCLRSide(_Learnt):
    """Side-information by SimCLR, as in the paper.

    Attributes:
        epochs, batch, lr: of the training with Adam.
        temperature: of the contrast.
        projector: lengths of the hidden layer and the output of the part that is thrown away.
        augment: draws a view of each image.
    """

    epochs: int = 25
    batch: int = 256
    lr: float = 2e-3
    temperature: float = 0.2
    projector: tuple[int, int] = (64, 32)
    augment: Transform = DIGIT_VIEWS

    def learner(self, encoder: nn.Module, shape: tuple[int, ...]) -> Learner:
        return SimCLR(encoder, self.augment, self.projector, self.temperature, self.lr)


@dataclass(frozen=True)
class AutoencoderSide(_Learnt):
    """Side-information by an autoencoder; fields as in `SimCLRSide`, `hidden` is the decoder's."""

    epochs: int = 25
    batch: int = 256
    lr: float = 2e-3
    hidden: int = 256

    def learner(self, encoder: nn.Module, shape: tuple[int, ...]) -> Learner:
        return Autoencoder(encoder, shape, self.hidden, self.lr)


@dataclass(frozen=True)
class PCASide(SideInfo):
    """Side-information by principal components of the pixels: no training, nothing random.

    Attributes:
        dim: how many components; at most the number of pixels and of images.
    """

    dim: int = 16

    def train(
        self,
        images: Images,
        build: Callable[[], nn.Module] | None = None,
        *,
        seed: int = 0,
        device: str = "cpu",
        workers: int = 0,
        on_step: Callable[[int, int], None] | None = None,
    ) -> nn.Module:
        return PrincipalComponents.of(images.read(), self.dim).to(device).eval()


__all__ = ["AutoencoderSide", "PCASide", "SideInfo", "SimCLRSide", "bct_loss", "nt_xent"]
