"""C4's shards and SuperGLUE's files, tiny and in their published format."""

import gzip
import json

import pytest

from holdfast.data.readers.c4 import read_c4
from holdfast.data.readers.superglue import TASKS, read_superglue
from holdfast.errors import InputError

PAGE = {"text": "A page\nof two lines.", "timestamp": "2019-04-25T12:57:54Z", "url": "http://a.b"}
ROWS = {
    "boolq": ({"question": "is it", "passage": "It is.", "label": True, "idx": 0}, "True"),
    "cb": ({"premise": "p", "hypothesis": "h", "label": "neutral", "idx": 0}, "neutral"),
    "copa": ({"premise": "p", "choice1": "a", "choice2": "b", "question": "cause", "label": 1, "idx": 0}, "b"),
    "rte": ({"premise": "p", "hypothesis": "h", "label": "not_entailment", "idx": 0}, "not_entailment"),
    "wic": ({"word": "w", "sentence1": "s", "sentence2": "t", "label": False, "idx": 0, "start1": 0}, "False"),
}


@pytest.mark.parametrize("ending", [".json.gz", ".json"])
def test_texts_of_a_shard(tmp_path, ending):
    path = tmp_path / f"c4-train.00000-of-01024{ending}"
    with (gzip.open if ending.endswith("gz") else open)(path, "wt") as file:
        file.write((json.dumps(PAGE) + "\n") * 2)
    assert list(read_c4(path)) == [PAGE["text"]] * 2


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "must hold texts"), (b"{}\n", "line 1: must be an object with a text"), (b"{", "line 2: must be readable"),
     (b"[1]\n", "line 1: must be an object")],
)  # fmt: skip
def test_broken_shards_are_named(tmp_path, content, words):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words):
        list(read_c4(path))
    with pytest.raises(InputError, match="must be a shard"):
        list(read_c4(tmp_path / "none.json.gz"))
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(PAGE).encode())[:-12])
    with pytest.raises(InputError, match="must be readable"):
        list(read_c4(tmp_path / "b.json.gz"))


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_every_task(tmp_path, task):
    row, answer = ROWS[task]
    path = tmp_path / "val.jsonl"
    path.write_text(json.dumps(row) + "\n" + json.dumps({k: v for k, v in row.items() if k != "label"}) + "\n")
    first, second = read_superglue(path, task)
    assert first.answer == answer
    assert first.input.startswith(f"{task} ")
    assert second.target is None
    path.write_text(json.dumps({**row, "label": "maybe"}))
    with pytest.raises(InputError, match="line 1: must have a label among"):
        read_superglue(path, task)
    path.write_text(json.dumps({"idx": 3}))
    with pytest.raises(InputError, match=f"must have the fields of {task}"):
        read_superglue(path, task)


@pytest.mark.parametrize(("line", "words"), [("{", "must be a JSON object"), ("3", "must be a JSON object")])
def test_broken_files_are_named(tmp_path, line, words):
    (tmp_path / "a.jsonl").write_text(line)
    with pytest.raises(InputError, match=words):
        read_superglue(tmp_path / "a.jsonl", "rte")
    with pytest.raises(InputError, match="task: must be one of"):
        read_superglue(tmp_path / "a.jsonl", "glue")
