"""Published benchmarks of composed retrieval in their own files: CIRR, Fashion-IQ, ImageNet-R, COCO."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.errors import InputError
from holdfast.retrieval.relevance import ranked, ranks, recall_and_precision, recall_at_k

DOMAINS = ("cartoon", "origami", "toy", "sculpture")
DOMAIN = 1000  # labels of ImageNet-R are class + 1000 times domain
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Benchmark:
    """Queries and a gallery as files.

    Attributes:
        images: Q pictures; boxes: what of each is shown (x1, y1, x2, y2 in pixels), or () for all of it.
        composed: Q texts with "*"; alone: the same without it.
        gallery: G pictures.
        relevant: (Q, G) bool.
        exclude: (Q,) row of the gallery that a query may not find, -1 = none.
    """

    images: tuple[Path, ...]
    composed: tuple[str, ...]
    alone: tuple[str, ...]
    gallery: tuple[Path, ...]
    relevant: np.ndarray
    exclude: np.ndarray
    boxes: tuple[Box, ...] = ()


def load_cirr(folder: Path, split: str = "val") -> Benchmark:
    """CIRR: captions/cap.rc2.SPLIT.json and image_splits/split.rc2.SPLIT.json; the reference may not be found.

    Raises:
        InputError: a file that is missing or holds something else; a name that the split does not have.
    """
    pairs = _json(folder / "captions" / f"cap.rc2.{split}.json", list)
    files = _json(folder / "image_splits" / f"split.rc2.{split}.json", dict)
    names = list(files)
    references, targets = (_places(names, pairs, key, folder) for key in ("reference", "target_hard"))
    gallery = tuple(folder / files[name] for name in names)
    return _edits(gallery, references, [str(p["caption"]) for p in pairs], targets, references)


def load_fashion_iq(folder: Path, category: str = "dress", split: str = "val") -> Benchmark:
    """Fashion-IQ: captions/cap.CATEGORY.SPLIT.json, image_splits/split.CATEGORY.SPLIT.json, images/ID.png.

    The second caption comes first, as published; the candidate stays in the ranking.

    Raises:
        InputError: as in `load_cirr`.
    """
    pairs = _json(folder / "captions" / f"cap.{category}.{split}.json", list)
    names = [str(name) for name in _json(folder / "image_splits" / f"split.{category}.{split}.json", list)]
    candidates, targets = (_places(names, pairs, key, folder) for key in ("candidate", "target"))
    gallery = tuple(folder / "images" / f"{name}.png" for name in names)
    said = [f"{p['captions'][1]} and {p['captions'][0]}" for p in pairs]
    return _edits(gallery, candidates, said, targets, np.full(len(pairs), -1))


def _edits(
    gallery: tuple[Path, ...], pictures: np.ndarray, said: list[str], targets: np.ndarray, exclude: np.ndarray
) -> Benchmark:
    """Queries whose pictures and targets are rows of the gallery."""
    images = tuple(gallery[i] for i in pictures)
    composed, alone = (tuple(f"a photo of {star}{text}" for text in said) for star in ("* , ", ""))
    return Benchmark(images, composed, alone, gallery, targets[:, None] == np.arange(len(gallery)), exclude)


def load_imagenet_r(folder: Path, domain: str = "cartoon", images: Path | None = None) -> Benchmark:
    """ImageNet to ImageNet-R: imgnet_real_query.txt and imgnet_targets.txt, lines of "path label".

    Args:
        folder: with the two lists.
        domain: of `DOMAINS`; a target has the query's class in this domain.
        images: folder that the paths begin in; None = the lists' own.

    Raises:
        InputError: another domain, a line that is no path and number.
    """
    if domain not in DOMAINS:
        raise InputError("domain", f"must be one of {', '.join(DOMAINS)}", domain)
    root = folder if images is None else images
    queries, classes = _listed(folder / "imgnet_real_query.txt", root)
    gallery, labels = _listed(folder / "imgnet_targets.txt", root)
    count, wanted = len(queries), classes + DOMAIN * DOMAINS.index(domain)
    composed, alone = (f"a {domain} of *",) * count, (f"a {domain}",) * count
    return Benchmark(queries, composed, alone, gallery, wanted[:, None] == labels, np.full(count, -1))


def load_coco(table: Path, images: Path) -> Benchmark:
    """COCO: a csv of id, query_regions "x1;y1;x2;y2 ", query_class, classes "a;b"; query i is to find its own picture.

    Raises:
        InputError: no rows, a missing column, a region that is not four numbers.
    """
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    missing = {"id", "query_regions", "query_class", "classes"} - set(rows[0] if rows else ())
    if missing:
        raise InputError(str(table), "must have rows of id, query_regions, query_class, classes", sorted(missing))
    boxes, texts = [], []
    for i, row in enumerate(rows):
        try:
            x1, y1, x2, y2 = (float(v) for v in row["query_regions"].split()[0].split(";"))
        except (ValueError, IndexError) as error:
            raise InputError(str(table), "must have regions x1;y1;x2;y2", f"row {i}: {row['query_regions']}") from error
        boxes.append((x1, y1, x2, y2))
        others = [c for c in row["classes"].split(";") if c != row["query_class"]]
        texts.append(" and ".join([row["query_class"], *others]))
    paths = tuple(images / f"{int(row['id']):012d}.jpg" for row in rows)
    composed, alone = (tuple(f"a photo of {star}{text}" for text in texts) for star in ("* and ", ""))
    none = np.full(len(rows), -1)
    return Benchmark(paths, composed, alone, paths, np.eye(len(rows), dtype=bool), none, tuple(boxes))


@dataclass(frozen=True)
class Published(FileProblem):
    """A benchmark under HOLDFAST_DATA, with a CLIP and the images that the mapper learns from.

    Attributes:
        folder: of the benchmark.
        load: its reader.
        clip, images: folders of a CLIP in Hugging Face's layout, and of images without labels.
    """

    folder: str
    load: Callable[[Path], Benchmark]
    clip: str = "clip-vit-large-patch14"
    images: str = "cc3m"
    how_to_get: ClassVar[str] = (
        "fetch the benchmark from its authors (CIRR: github.com/Cuberick-Orion/CIRR; Fashion-IQ: "
        "github.com/XiaoxiaoGuo/fashion-iq), a CLIP in Hugging Face's layout, and photographs to learn from (CC3M), "
        "into folders of these names in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return tuple(data_folder(name) for name in (self.folder, self.clip, self.images))

    def describe(self) -> str:
        return f"{self.folder}, published queries and gallery"


def cirr_submission(pairs: Sequence[int], scores: Any, names: Sequence[str], exclude: Any) -> dict[str, Any]:
    """What CIRR's test server reads: the 50 names found first for each pair, without the reference picture.

    Args:
        pairs: (Q,) numbers of the queries.
        scores: (Q, G).
        names: (G,) of the gallery.
        exclude: (Q,) row of each reference picture.
    """
    found = ranked(scores, exclude)[:, : min(50, len(names) - 1)]
    answers = {str(pair): [names[i] for i in row] for pair, row in zip(pairs, found, strict=True)}
    return {"version": "rc2", "metric": "recall", **answers}


def _json(path: Path, kind: type) -> Any:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(str(path), "must be a JSON file of the benchmark", str(error).splitlines()[0]) from error
    if not isinstance(found, kind) or not found:
        raise InputError(str(path), f"must hold a {kind.__name__} that is not empty", type(found).__name__)
    return found


def _places(names: list[str], pairs: list[dict[str, Any]], key: str, folder: Path) -> np.ndarray:
    at = {name: i for i, name in enumerate(names)}
    unknown = next((p.get(key) for p in pairs if str(p.get(key)) not in at), None)
    if unknown is not None or any(key not in p for p in pairs):
        raise InputError(str(folder), f"must have every {key} of its captions in its split", unknown)
    return np.array([at[str(p[key])] for p in pairs])


def _listed(path: Path, root: Path) -> tuple[tuple[Path, ...], np.ndarray]:
    files, labels = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if len(parts) != 2 or not parts[1].isdigit():
            raise InputError(str(path), "must have lines of a path and a number", f"line {number}: {line[:60]!r}")
        files.append(root / parts[0])
        labels.append(int(parts[1]))
    return tuple(files), np.array(labels)


__all__ = [
    "Benchmark", "Published", "cirr_submission", "load_cirr", "load_coco", "load_fashion_iq", "load_imagenet_r",
    "ranks", "recall_and_precision", "recall_at_k",
]  # fmt: skip
