"""Files that run code where a reader lets them. All of them try to make the folder they are given."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import pickletools
import sqlite3
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch


class Bomb:
    """Unpickling it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.marker),)


def payloads(marker: Path) -> dict[str, bytes]:
    """What -> the file."""
    bomb = Bomb(marker)
    made = {f"pickle, protocol {n}": pickle.dumps(bomb, n) for n in (0, 2, 5)}
    made["packed pickle"] = gzip.compress(pickle.dumps(bomb))
    made["optimised pickle"] = pickletools.optimize(pickle.dumps({"x": bomb, "y": [0, 1]}))
    made |= _of_arrays(bomb) | _of_libraries(bomb) | _of_texts(marker)
    made["parquet with a pickled type"] = _parquet(marker)
    made["skops with a foreign function"] = _skops(marker)
    made["SQLite with a trigger and a view"] = _sqlite(marker)
    return made


def _of_arrays(bomb: Bomb) -> dict[str, bytes]:
    objects = np.array([bomb, bomb], dtype=object)
    np.save(array := io.BytesIO(), objects, allow_pickle=True)
    np.savez(archive := io.BytesIO(), x=objects, y=np.arange(2), allow_pickle=True)
    np.savez(names := io.BytesIO(), names=objects, value0=np.zeros(2), allow_pickle=True)
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': (__import__('os').mkdir({str(bomb.marker)!r}),)}}\n"
    header = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + b"\0" * 16
    return {
        "npy of objects": array.getvalue(),
        "npz of objects": archive.getvalue(),
        "npz with names that are objects": names.getvalue(),
        "npy with code in its header": header,
    }


def _of_libraries(bomb: Bomb) -> dict[str, bytes]:
    joblib.dump(bomb, job := io.BytesIO())
    torch.save({"w": bomb}, zipped := io.BytesIO())
    torch.save({"w": bomb}, legacy := io.BytesIO(), _use_new_zipfile_serialization=False)
    pd.DataFrame({"x": [bomb]}).to_pickle(frame := io.BytesIO(), compression=None)
    return {
        "joblib": job.getvalue(),
        "torch, zipped": zipped.getvalue(),
        "torch, legacy": legacy.getvalue(),
        "pandas pickle": frame.getvalue(),
    }


def _of_texts(marker: Path) -> dict[str, bytes]:
    path = str(marker)
    call = {"py/reduce": [{"py/function": "os.mkdir"}, {"py/tuple": [path]}]}
    kind = {"$type": "os:mkdir", "fields": {"path": path}}
    config = {"format": 1, "library": "holdfast", "class": "os:mkdir", "init": {"x": kind}, "learned": {"x_": kind}}
    texts = {
        "YAML with a constructor": f"!!python/object/apply:os.mkdir ['{path}']\n",
        "JSON with a function": json.dumps(call),
        "JSON with a type": json.dumps(config),
        "TOML with code": f"id = \"__import__('os').mkdir('{path}')\"\n",
        "Python": f"import os; os.mkdir({path!r})\n",
        "csv with code": f"x,label\n__import__('os').mkdir({path!r}),1\n=cmd|' /C mkdir {path}'!A0,0\n",
        "template": f"{{{{ cycler.__init__.__globals__.os.mkdir('{path}') }}}}\n",
        "SVG with a script": "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(7)</script></svg>",
        "XML that multiplies": _laughs(),
        "list of images": f"$(mkdir {path}) 0\n`mkdir {path}` 1\n| mkdir {path} 1\n",
    }
    return {name: text.encode() for name, text in texts.items()}


def _laughs() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">{entities}]><svg>&l11;</svg>'


def _parquet(marker: Path) -> bytes:
    about = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": pickle.dumps(Bomb(marker)),
    }
    pandas = json.dumps({"columns": [{"name": "x", "pandas_type": "object", "numpy_type": "object", "metadata": None}]})
    schema = pa.schema([pa.field("x", pa.float64(), metadata=about)], metadata={b"pandas": pandas.encode()})
    pq.write_table(pa.table([[1.0, 2.0]], schema=schema), stream := io.BytesIO())
    return stream.getvalue()


def _skops(marker: Path) -> bytes:
    argument = {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(str(marker)),
    }
    node = {"__class__": "mkdir", "__module__": "os", "__loader__": "FunctionNode", "content": argument, "__id__": 1}
    schema = {**node, "protocol": 2, "_skops_version": "0.10"}
    with zipfile.ZipFile(stream := io.BytesIO(), "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    return stream.getvalue()


def _sqlite(marker: Path) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.sqlite"
        db = sqlite3.connect(path)
        db.execute("CREATE TABLE t (a)")
        db.execute("CREATE VIEW trials AS SELECT load_extension('x') AS key, 'ok' AS status, a AS record FROM t")
        db.execute(f"CREATE TRIGGER go INSTEAD OF INSERT ON trials BEGIN SELECT writefile('{marker}', 'x'); END")
        db.commit()
        db.close()
        return path.read_bytes()
