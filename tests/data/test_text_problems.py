"""Texts of which the next token is to be predicted."""

from __future__ import annotations

import pytest

from holdfast.data.text_problems import Characters, WikiText, read_words
from holdfast.errors import InputError

TEXT = " \n = Title = \n \n the cat sat on the <unk> mat . \n the dog sat . \n"


def test_wikitext_is_read_as_published(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    (tmp_path / "wikitext-103").mkdir()
    for part in ("train", "valid", "test"):
        text = TEXT if part == "train" else TEXT.replace("dog", "horse")
        (tmp_path / "wikitext-103" / f"wiki.{part}.tokens").write_text(text, encoding="utf-8")
    words = read_words(tmp_path / "wikitext-103" / "wiki.train.tokens")
    assert words.tolist()[:4] == ["=", "Title", "=", "<eos>"]
    (train, valid, _), size = WikiText(words=6).texts()
    assert len(train) == len(words) == 18
    kept = {w for w in set(words) if (words == w).sum() > 1}
    assert {"the", "sat", ".", "=", "<eos>"} == kept
    assert size == 6  # those, and <unk>
    assert int(train[1]) == int(train[10])  # Title is rare: <unk>
    assert int(valid[14]) == int(train[1])  # horse is not in the training part
    for content, message in ((b"\xff\xfe", "UTF-8"), (b" \n", "words")):
        (tmp_path / "bad").write_bytes(content)
        with pytest.raises(InputError, match=message):
            read_words(tmp_path / "bad")


def test_characters_are_divided_and_none_is_lost():
    parts, size = Characters(held=100).texts()
    assert [len(p) for p in parts[1:]] == [100, 100]
    assert int(max(p.max() for p in parts)) < size < 200
