"""What the verbs read: targets, blocklists, labelled rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from holdfast.data.readers.arrays import read_npy
from holdfast.data.readers.lines import read_lines
from holdfast.data.readers.listings import list_folder
from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Role
from holdfast.data.readers.tables.options import TableOptions
from holdfast.encoders.clip_images import features_of
from holdfast.errors import InputError
from holdfast.systems.pez.tool.inverters import CLIPInverter, Inverter, SentenceInverter


def inverter(model: Path | None, clip: Path | None, settings: Mapping[str, Any], block: Path | None) -> Inverter:
    """With the encoder that was named.

    Raises:
        InputError: both a sentence encoder and a CLIP; a folder that holds none.
    """
    words = [line.strip() for line in read_lines(block, "blocklist") if line.strip()] if block else []
    if clip is not None and model is not None:
        raise InputError("clip", "must be given without another encoder", str(model))
    if clip is not None:
        return CLIPInverter(clip, blocklist=words, **settings)
    return SentenceInverter(model, blocklist=words, **settings)


def targets_of(
    found: Inverter, text: Sequence[str], file: Path | None, vectors: Path | None, image: Path | None
) -> tuple[list[str], list[Any]]:
    """Names and targets of what was given.

    Raises:
        InputError: nothing, or a file that cannot be used.
    """
    lines = [*text, *(line.strip() for line in (read_lines(file, "file") if file else ()) if line.strip())]
    names, targets = list(lines), list[Any](lines)
    if vectors is not None:
        rows = torch.as_tensor(read_npy(vectors))
        if rows.ndim != 2 or not len(rows):
            raise InputError("vectors", "must be rows of vectors, (N, E)", tuple(rows.shape))
        names += [f"row {i} of {vectors.name}" for i in range(len(rows))]
        targets += list(rows.float())
    if image is not None:
        if not isinstance(found, CLIPInverter):
            raise InputError("clip", "must be given with images", None)
        paths = list_folder(image, "images").paths if image.is_dir() else [image]
        names += [path.name for path in paths]
        targets += list(features_of(found.encoder.clip, paths))
    if not targets:
        raise InputError("target", "or --file, --vectors or --image must be given", "nothing")
    return names, targets


def labelled(table: Path, columns: Sequence[str], reading: TableOptions | None = None) -> tuple[list[str], list[str]]:
    """Texts and labels of a table.

    Raises:
        InputError: no such columns, or cells without a value.
    """
    rows = read_records(table, [Role("text"), Role("label")], columns, reading)
    return [str(text) for text in rows["text"]], [str(label) for label in rows["label"]]


def words_of(said: str) -> dict[str, str] | None:
    """Label -> word, of "label=word,label=word"; None where nothing is said.

    Raises:
        InputError: a part without "=".
    """
    parts = [part.strip() for part in said.split(",") if part.strip()]
    if any(part.count("=") != 1 for part in parts):
        raise InputError("verbalizer", "must be label=word, separated by commas", said)
    return {label.strip(): word.strip() for label, word in (part.split("=") for part in parts)} or None


__all__ = ["inverter", "labelled", "targets_of", "words_of"]
