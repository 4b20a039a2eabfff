"""What is to be said again: sentences of the grammar, new in each replicate; lines of a file; images, for a CLIP."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.location import data_folder
from holdfast.data.readers.lines import read_lines
from holdfast.data.readers.listings import list_folder
from holdfast.data.synthetic.sentences import SentenceWorld
from holdfast.encoders.clip_images import features_of
from holdfast.encoders.soft_sentences import SoftSentenceEncoder
from holdfast.errors import InputError
from holdfast.experiment import DataSource, Problem

Drawn = tuple[Any, Tensor, list[str]]  # encoder, (N, E) unit targets, corpus
CORPUS = 720  # sentences that the nearest is looked for in


@dataclass(frozen=True)
class Sentences(Problem):
    """Sentences of one draw of the grammar; the corpus is of another draw, without the targets.

    Attributes:
        targets: sentences to be found again.
        corpus: sentences that the nearest one is looked for in.
    """

    targets: int = 6
    corpus: int = CORPUS

    source: ClassVar[DataSource] = "generated"
    redrawn: ClassVar[bool] = True

    def draw(self, rng: np.random.Generator, device: str = "cpu") -> Drawn:
        """Encoder, targets and corpus of a replicate."""
        encoder = encoder_on(device)
        targets, corpus = self.texts(rng)
        return encoder, encoder.encode(targets), corpus

    def texts(self, rng: np.random.Generator) -> tuple[list[str], list[str]]:
        """Targets and corpus as texts."""
        told, other = SentenceWorld.draw(rng), SentenceWorld.draw(rng)
        targets = [one.text for one in told.sentences(self.targets, rng)]
        corpus = [one.text for one in other.sentences(self.corpus + self.targets, rng) if one.text not in targets]
        return targets, corpus[: self.corpus]

    def describe(self) -> str:
        return f"{self.targets} sentences of a grammar, drawn anew in each replicate"


@dataclass(frozen=True)
class OwnSentences(Problem):
    """The lines of a file; each replicate draws targets, and the other lines are the corpus.

    Attributes:
        path: of a text file, a sentence a line.
        targets: sentences to be found again.
    """

    path: str
    targets: int = 6

    source: ClassVar[DataSource] = "file"
    redrawn: ClassVar[bool] = True
    how_to_get: ClassVar[str] = "a text file in UTF-8 with a sentence a line"

    def available(self) -> bool:
        return Path(self.path).is_file()

    def fingerprint(self) -> str:
        return hashlib.sha256(Path(self.path).read_bytes()).hexdigest()[:16]

    def draw(self, rng: np.random.Generator, device: str = "cpu") -> Drawn:
        """Encoder, targets and corpus of a replicate."""
        encoder = encoder_on(device)
        lines = own_lines(Path(self.path), self.targets)
        order = rng.permutation(len(lines))
        chosen = [lines[i] for i in order[: self.targets + CORPUS]]
        return encoder, encoder.encode(chosen[: self.targets]), chosen[self.targets :]

    def describe(self) -> str:
        return f"{self.targets} lines of {Path(self.path).name}, drawn anew in each replicate"


@dataclass(frozen=True)
class Images(Problem):
    """The paper's prompt inversion: images of a folder, a CLIP from the disk, captions to find the nearest of.

    Attributes:
        targets: images of a replicate.
        folder: under HOLDFAST_DATA: clip/ in Hugging Face's layout, images/, captions.txt.
    """

    targets: int = 6
    folder: str = "pez"

    source: ClassVar[DataSource] = "file"
    redrawn: ClassVar[bool] = True
    how_to_get: ClassVar[str] = (
        "under HOLDFAST_DATA: pez/clip, a CLIPModel with its tokenizer in Hugging Face's layout; pez/images, at least "
        "six images (the paper's are of LAION, COCO, CelebA and Lexica.art); pez/captions.txt, captions of others"
    )

    def available(self) -> bool:
        place = data_folder(self.folder)
        return (place / "clip").is_dir() and (place / "images").is_dir() and (place / "captions.txt").is_file()

    def draw(self, rng: np.random.Generator, device: str = "cpu") -> Drawn:
        """Encoder, targets and corpus of a replicate."""
        from holdfast.systems.pez.tool.clip_prompts import ClipTexts

        place = data_folder(self.folder)
        encoder = ClipTexts(place / "clip", device)
        paths = list_folder(place / "images", "images").paths
        if len(paths) < self.targets:
            raise InputError("images", f"must be at least {self.targets} images", len(paths))
        chosen = [paths[i] for i in rng.permutation(len(paths))[: self.targets]]
        vectors = torch.nn.functional.normalize(features_of(encoder.clip, chosen), dim=1)
        return encoder, vectors, [line for line in read_lines(place / "captions.txt", "captions") if line.strip()]

    def describe(self) -> str:
        return f"{self.targets} images of a folder, for a CLIP on the disk"


@functools.cache
def encoder_on(device: str) -> SoftSentenceEncoder:
    """The packaged encoder, loaded once per process."""
    return SoftSentenceEncoder().to(device)


def own_lines(path: Path, targets: int = 6) -> list[str]:
    """The different lines of a file.

    Raises:
        InputError: it cannot be read, or has fewer than twice as many lines as targets are drawn.
    """
    lines = list(dict.fromkeys(line.strip() for line in read_lines(path, "on") if line.strip()))
    if len(lines) < 2 * targets:
        raise InputError("on", f"must hold at least {2 * targets} different sentences, one a line", len(lines))
    return lines


def own_sentences(paths: Sequence[str | Path]) -> OwnSentences:
    """The problem of `holdfast run pez --on FILE`.

    Raises:
        InputError: not one file, or not one that can be used.
    """
    if len(paths) != 1:
        raise InputError("on", "must be one text file, a sentence a line", f"{len(paths)} files")
    own_lines(Path(paths[0]))
    return OwnSentences(str(Path(paths[0]).resolve()))


__all__ = ["CORPUS", "Images", "OwnSentences", "Sentences", "own_lines", "own_sentences"]
