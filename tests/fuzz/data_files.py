"""Data files: random bytes and damaged files under every name that a reader accepts."""

from __future__ import annotations

import contextlib
import gzip
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st
from PIL import Image

from fuzz.hunt import Attempt, Fuzz, Outcome, obey
from fuzz.mutation import damaged
from fuzz.words import texts
from holdfast.data.imagesets import ArrayFile, Folder, ListFile
from holdfast.data.own_domains import OwnDomains
from holdfast.data.readers import ImageFiles, colour_mode, decode_image, list_folder, read_arrays, read_list
from holdfast.data.readers.listings import SUFFIXES
from holdfast.data.readers.tables import is_table, read_table


def valid_files() -> dict[str, bytes]:
    """Suffix -> a small good file."""
    rng = np.random.default_rng(0)
    x, y = rng.random((6, 1, 4, 4), np.float32), np.arange(6) % 2
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4], "label": [0, 1]})
    files: dict[str, Callable[[io.BytesIO], Any]] = {
        ".npz": lambda f: np.savez(f, x=x, y=y),
        ".npy": lambda f: np.save(f, x),
        ".csv": lambda f: frame.to_csv(f, index=False),
        ".tsv": lambda f: frame.to_csv(f, index=False, sep="\t"),
        ".parquet": lambda f: frame.to_parquet(f),
        ".xlsx": lambda f: frame.to_excel(f, index=False),
        ".jsonl": lambda f: frame.to_json(f, orient="records", lines=True),
        ".json": lambda f: frame.to_json(f, orient="records"),
    }
    made = {}
    for suffix, write in files.items():
        write(stream := io.BytesIO())
        made[suffix] = stream.getvalue()
    made[".csv.gz"] = gzip.compress(made[".csv"])
    packed = io.BytesIO()
    np.savez_compressed(packed, x=x, y=y)
    made["packed .npz"] = packed.getvalue()
    for suffix in sorted(SUFFIXES):
        kind = Image.registered_extensions()[suffix]
        mode = "1" if suffix == ".pbm" else "L"
        pixels = Image.fromarray(rng.integers(0, 255, (7, 9), np.uint8)).convert(mode)
        pixels.save(stream := io.BytesIO(), kind)
        made[suffix] = stream.getvalue()
    return made


@contextlib.contextmanager
def _tables(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    good = {suffix: content for suffix, content in valid_files().items() if suffix not in SUFFIXES}
    good[".pq"] = good[".parquet"]
    cells = st.lists(st.lists(texts.filter(lambda t: t.isprintable()), max_size=4).map(",".join), max_size=4)
    contents = st.one_of(
        *(damaged(content) for content in good.values()), st.binary(max_size=300), cells.map("\n".join).map(_utf8)
    )
    names = st.one_of(st.none(), st.none(), st.sampled_from(["x", "y", "a", "label", "", "nosuch", "\x1b[31m"]))
    wanted = st.tuples(st.sampled_from(sorted(good)), contents, names, names)

    def attempt(case: tuple[str, bytes, str | None, str | None]) -> Outcome:
        suffix, content, x, y = case
        path = folder / f"data{suffix.removeprefix('packed ')}"
        path.write_bytes(content)
        outcome = obey(lambda: read_arrays(path, x=x, y=y))
        if is_table(path):
            obey(lambda: read_table(path, kinds={"a": "text"}))
        if suffix.endswith("npz"):
            obey(lambda: ArrayFile(str(path)).load())
            obey(lambda: OwnDomains(str(path), str(path)))
        return outcome

    matching = st.sampled_from(sorted(good)).flatmap(
        lambda suffix: st.tuples(st.just(suffix), damaged(good[suffix]), names, names)
    )
    yield st.one_of(matching, matching, wanted), attempt


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


@contextlib.contextmanager
def _images(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    good = {suffix: content for suffix, content in valid_files().items() if suffix in SUFFIXES}
    (folder / "kinds" / "a").mkdir(parents=True)
    (folder / "kinds" / "b").mkdir()
    (folder / "kinds" / "b" / "1.png").write_bytes(good[".png"])
    matching = st.sampled_from(sorted(good)).flatmap(lambda s: st.tuples(st.just(s), damaged(good[s])))
    crossed = st.tuples(st.sampled_from(sorted(good)), st.sampled_from(sorted(good)).map(good.__getitem__))

    def attempt(case: tuple[str, bytes]) -> Outcome:
        suffix, content = case
        path = folder / "kinds" / "a" / f"0{suffix}"
        path.write_bytes(content)
        try:
            outcome = obey(lambda: decode_image(path, 8, "RGB"))
            obey(lambda: colour_mode([path]))
            obey(lambda: ImageFiles([path], size=4).read())
            obey(lambda: Folder(str(folder / "kinds"), 4).load())
        finally:
            path.unlink()
        return outcome

    yield st.one_of(matching, matching, matching, crossed), attempt


@contextlib.contextmanager
def _lists(folder: Path) -> Iterator[tuple[st.SearchStrategy[Any], Attempt]]:
    (folder / "real" / "cat").mkdir(parents=True)
    image = folder / "real" / "cat" / "1.png"
    image.write_bytes(valid_files()[".png"])
    line = st.one_of(
        st.sampled_from(["real/cat/1.png 0", "real/cat/1.png 1", "real/cat/1.png", "real/cat/1.png -1", " 0"]),
        st.tuples(texts, st.sampled_from(["0", "1", "²", "٣", str(10**30), "1.0", ""])).map(" ".join),
        texts,
    )
    good = st.sampled_from(["real/cat/1.png 0", "real/cat/1.png 1", ""])
    lines = st.lists(st.one_of(good, good, line), min_size=1, max_size=3)
    content = st.one_of(lines.map("\n".join).map(_utf8), st.binary(max_size=60))
    where = st.integers(0, 5).flatmap(lambda n: texts if n == 5 else st.just("list.txt"))

    def attempt(case: tuple[bytes, str]) -> Outcome:
        (folder / "list.txt").write_bytes(case[0])
        outcome = obey(lambda: read_list(folder, case[1]))
        obey(lambda: ListFile(str(folder), case[1], 4).load())
        obey(lambda: list_folder(folder / case[1]))
        obey(lambda: OwnDomains.of([folder / case[1], Path(case[1])]))
        return outcome

    yield st.tuples(content, where), attempt


FUZZES = (
    Fuzz(
        "tables",
        "Data files of nonsense",
        "npy, npz, csv, tsv, gz, parquet, xlsx, jsonl, json: random bytes, cut, bytes changed",
        1500,
        _tables,
    ),
    Fuzz(
        "images",
        "Damaged images",
        f"{', '.join(sorted(s[1:] for s in SUFFIXES))}: cut, bytes changed, under another format's name",
        1000,
        _images,
    ),
    Fuzz(
        "lists",
        "Lists of images and paths of nonsense",
        "random lines, labels, encodings and names of paths",
        600,
        _lists,
    ),
)
