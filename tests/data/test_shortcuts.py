"""The worlds: shares, patches, fixed tests, the prefix rule, and published tables in tiny files."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.biased_text import BiasedSST, biased_text, read_sst
from holdfast.data.shortcut_photos import CelebA, Waterbirds
from holdfast.data.shortcuts import BiasedMNIST
from holdfast.errors import InputError


def load(problem, seed=0):
    return problem.load(np.random.default_rng(seed))


@pytest.fixture(scope="module")
def digits():
    return load(BiasedMNIST())


def test_patches_agree_with_labels_in_training_and_not_in_the_test(digits):
    for part, size in ((digits.train, 1500), (digits.validation, 600), (digits.test, 780)):
        assert part.x.shape == (size, 1, 14, 14)
        assert len(part.y) == len(part.g) == size
        left, right = part.x[:, 0, :3, :3].amin((1, 2)) == 1, part.x[:, 0, :3, -3:].amin((1, 2)) == 1
        assert torch.equal(part.g, 2 * part.y + left.long())
        assert bool((left ^ right).all())
    agreement = (digits.train.g % 2 == digits.train.y).float().mean()
    assert 0.93 < float(agreement) < 0.97
    counts = torch.bincount(digits.test.g)
    assert counts.sum() == 780
    assert int(counts[:2].diff().abs()) <= 1
    assert int(counts[2:].diff().abs()) <= 1


def test_a_replicate_redraws_all_but_the_test(digits):
    other = load(BiasedMNIST(), 1)
    assert torch.equal(other.test.x, digits.test.x)
    assert other.test_id == digits.test_id
    assert not torch.equal(other.train.x, digits.train.x)
    again = load(BiasedMNIST())
    assert torch.equal(again.train.x, digits.train.x)
    assert torch.equal(again.validation.g, digits.validation.g)


def test_no_image_is_in_two_parts(digits):
    parts = (digits.train, digits.validation, digits.test)
    inner = [{bytes(row) for row in part.x[:, 0, 3:].numpy()} for part in parts]
    assert not (inner[0] & inner[1])
    assert not (inner[0] | inner[1]) & inner[2]


def test_full_agreement_has_two_groups_only():
    train = load(BiasedMNIST(p=1.0, train=50, validation=20)).train
    assert set(train.g.tolist()) == {0, 3}
    with pytest.raises(InputError, match="count"):
        load(BiasedMNIST(train=3000))


# --------------------------------------------------------------------------------------------------------- sentences
def dataset(n=200):
    y = [k % 2 for k in range(n)]
    return {part: ([f"Text {part} {k}" for k in range(n)], y) for part in ("train", "dev", "test")}


def test_the_prefix_rule():
    made = biased_text(dataset())
    for name, shares in (("train", (95, 5)), ("dev", (95, 5)), ("test", (50, 50))):
        part = made[name]
        assert [int(part.prefixed[part.labels == k].sum()) for k in (0, 1)] == list(shares)
        for text, has, original in zip(part.texts, part.prefixed, dataset()[name][0], strict=True):
            assert text == (f"so , t{original[1:]}" if has else original)
    assert made["train"].prefixed.tolist() != made["dev"].prefixed.tolist()  # one stream runs on


def test_the_prefix_rule_draws_label_0_first_from_one_stream():
    made, random = biased_text(dataset(), p=0.8, seed=5), np.random.RandomState(5)
    for part in made.values():
        for label in (0, 1):
            order = random.permutation(np.flatnonzero(part.labels == label))
            has = part.prefixed[order]
            assert has[: has.sum()].all()


def test_the_prefix_rule_refuses():
    with pytest.raises(InputError, match="labels"):
        biased_text({"train": (["a"], [2])})
    with pytest.raises(InputError, match="p"):
        biased_text({"train": (["a"], [1])}, p=1.5)
    with pytest.raises(InputError):
        biased_text({"train": (["a", "b"], [1])})


@pytest.fixture
def sst(tmp_path, monkeypatch):
    folder = tmp_path / "tiny"
    folder.mkdir()
    for part, rows in (("train", 40), ("dev", 8), ("test_withref", 8)):
        lines = [f'a "film" of {k} words that is long enough .\t{k % 2}' for k in range(rows)]
        (folder / f"sst2_{part}.tsv").write_text("\n".join(["sentence\tlabel", *lines, "too short\t1"]) + "\n")
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    return BiasedSST(train=20, words=30, folder="tiny")


def test_sentences_as_published(sst):
    data = load(sst)
    assert [len(p.y) for p in (data.train, data.validation, data.test)] == [20, 9, 9]
    assert data.train.y.sum() == 10
    assert int(data.train.x.max()) < 30
    assert int((data.train.x > 0).sum(1).min()) >= 8  # no short row to train on
    assert data.train.x.dtype == torch.int64
    assert sst.backbone(data)(data.train.x).shape == (20, 64)
    assert sst.available()
    assert sst.fingerprint()
    assert not BiasedSST(folder="elsewhere").available()


@pytest.mark.parametrize(
    ("text", "message"),
    [("sentence\n", "columns"), ("sentence\tlabel\n", "at least one row"), ("sentence\tlabel\na\t2\n", "line 2")],
)
def test_broken_sentences(tmp_path, text, message):
    path = tmp_path / "sst2_train.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_sst(path)


# -------------------------------------------------------------------------------------------------------- photographs
def photographs(folder, names):
    for k, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 16), (40 * k, 10, 10)).save(folder / name)


@pytest.fixture
def birds(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    names = [f"00{k}.Bird/bird_{k}.jpg" for k in range(6)]
    photographs(tmp_path / "birds", names)
    lines = [f"{k},{name},{k % 2},{k // 2},{int(k > 2)},/f/forest/{k}.jpg" for k, name in enumerate(names)]
    path = tmp_path / "birds" / "metadata.csv"
    path.write_text("\n".join(["img_id,img_filename,y,split,place,place_filename", *lines]) + "\n")
    return path


def test_waterbirds(birds):
    data = load(Waterbirds("birds", size=8))
    assert [p.x.shape for p in (data.train, data.validation, data.test)] == [(2, 3, 8, 8)] * 3
    assert [p.y.tolist() for p in (data.train, data.validation)] == [[0, 1], [0, 1]]
    assert [p.g.tolist() for p in (data.train, data.validation, data.test)] == [[0, 2], [0, 3], [1, 3]]
    assert abs(float(data.validation.x[1, 0].mean()) - 120 / 255) < 0.02


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("img_filename", "file", "must have a value for img_filename"),
        (",0,0,0,", ",7,0,0,", "label"),
        (",0,0,0,", ",x,0,0,", "whole numbers"),
        ("002.Bird/bird_2.jpg", "gone.jpg", "gone.jpg"),
    ],
)
def test_broken_waterbirds(birds, old, new, message):
    birds.write_text(birds.read_text().replace(old, new))
    with pytest.raises(InputError, match=message):
        load(Waterbirds("birds", size=8))


def test_a_split_without_rows_and_a_missing_table(birds):
    birds.write_text("\n".join(birds.read_text().splitlines()[:4]) + "\n")
    with pytest.raises(InputError, match="every split"):
        load(Waterbirds("birds", size=8))
    with pytest.raises(InputError, match="group_DRO"):
        load(Waterbirds("nowhere"))


def test_celeba(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    names = [f"00000{k}.jpg" for k in range(6)]
    photographs(tmp_path / "celeba" / "img_align_celeba", names)
    lines = [f"{name} {1 if k % 2 else -1:>2} -1 {1 if k > 2 else -1:>2}" for k, name in enumerate(names)]
    table = tmp_path / "celeba" / "list_attr_celeba.txt"
    table.write_text("\n".join(["6", "Blond_Hair Eyeglasses Male", *lines]) + "\n")
    partition = tmp_path / "celeba" / "list_eval_partition.txt"
    partition.write_text("".join(f"{name} {k // 2}\n" for k, name in enumerate(names)))
    data = load(CelebA(size=8))
    assert [p.g.tolist() for p in (data.train, data.validation, data.test)] == [[0, 2], [0, 3], [1, 3]]
    assert data.test.x.shape == (2, 3, 8, 8)
    with pytest.raises(InputError, match="Smiling"):
        load(CelebA(size=8, label="Smiling"))
    partition.write_text("000000.jpg 0\n")
    with pytest.raises(InputError, match="whole numbers"):
        load(CelebA(size=8))
