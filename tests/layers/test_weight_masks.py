"""Masks of weights: what they keep off, on what they fit, and as files."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from holdfast.errors import InputError
from holdfast.layers.weight_masks import MaskDict, load_mask, random_mask_like, save_mask


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def half(model, seed=0):
    draws = torch.Generator().manual_seed(seed)
    return MaskDict({n: torch.rand(m.shape, generator=draws) < 0.5 for n, m in MaskDict.ones(model).items()})


def test_weights_of_layers_may_be_pruned_and_nothing_else():
    assert list(MaskDict.ones(net())) == ["0.weight", "3.weight"]
    assert list(MaskDict.ones(nn.Linear(2, 2))) == ["weight"]
    with pytest.raises(InputError, match="linear or convolutional"):
        MaskDict.ones(nn.ReLU())


def test_counts_and_shares():
    mask = MaskDict({"a": torch.tensor([True, False]), "b": torch.tensor([[True, True], [False, True]])})
    assert (mask.kept, mask.size, mask.density) == (4, 6, 4 / 6)
    assert mask.per_layer() == {"a": 0.5, "b": 0.75}


def test_applied_once_weights_outside_are_zero_and_others_stay():
    model, before = net(), net()
    mask = half(model)
    mask.apply_(model)
    for name, value in model.named_parameters():
        kept = mask.get(name, torch.ones_like(value, dtype=torch.bool))
        assert torch.equal(value, torch.where(kept, before.get_parameter(name), 0.0))


@pytest.mark.parametrize("make", [lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, weight_decay=0.1),
                                  lambda p: torch.optim.AdamW(p, 0.1, weight_decay=0.1)])  # fmt: skip
def test_attached_pruned_weights_stay_zero_through_momentum_and_decay(make):
    model = net()
    optimizer, x = make(model.parameters()), torch.randn(16, 1, 4, 4)
    for _ in range(3):  # momentum from before the mask
        model(x).square().mean().backward()
        optimizer.step()
    mask = half(model)
    with mask.attach(model, optimizer):
        for _ in range(4):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            for name, kept in mask.items():
                assert not model.get_parameter(name).grad[~kept].any()
            optimizer.step()
            assert all(not model.get_parameter(name)[~kept].any() for name, kept in mask.items())
    model(x).square().mean().backward()
    optimizer.step()
    assert any(bool(model.get_parameter(name)[~kept].any()) for name, kept in mask.items())  # off again


@pytest.mark.parametrize("mask", [{"0.weight": torch.ones(2, 1, 3)}, {"9.weight": torch.ones(1)}])
def test_masks_of_other_networks_are_refused(mask):
    with pytest.raises(InputError, match="names and shapes"):
        MaskDict(mask).apply_(net())


@pytest.mark.parametrize("per_layer", [True, False])
def test_random_masks_keep_as_many(per_layer):
    mask = MaskDict({"a": torch.rand(30, 20) < 0.1, "b": torch.rand(10) < 0.9})
    other = random_mask_like(mask, per_layer, torch.Generator().manual_seed(0))
    assert other.kept == mask.kept
    assert (other.per_layer() == mask.per_layer()) == per_layer
    assert not torch.equal(other["a"], mask["a"])
    assert other["a"].shape == (30, 20)


def test_every_place_is_as_likely():
    mask = {"a": torch.tensor([True, False, False, False])}
    draws = torch.Generator().manual_seed(0)
    total = sum(random_mask_like(mask, True, draws)["a"].double() for _ in range(4000))
    assert torch.allclose(total / 4000, torch.full((4,), 0.25, dtype=torch.float64), atol=0.03)


def test_a_file_holds_a_bit_per_weight(tmp_path):
    mask = MaskDict({"a.b": torch.rand(64, 64) < 0.3, "c": torch.tensor(True).reshape(1), "d": torch.rand(3, 5) < 0.5})
    save_mask(mask, tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").stat().st_size < 64 * 64 / 8 + 500
    read = load_mask(tmp_path / "m.safetensors")
    assert list(read) == list(mask)
    assert all(torch.equal(read[name], kept) for name, kept in mask.items())


def test_other_files_are_no_masks(tmp_path):
    from safetensors.torch import save_file

    (tmp_path / "a.safetensors").write_bytes(b"no")
    save_file({"x": torch.ones(2)}, tmp_path / "b.safetensors")
    shapes = {"shapes": '{"x": [1e99]}'}
    save_file({"x": torch.ones(2, dtype=torch.uint8)}, tmp_path / "c.safetensors", metadata=shapes)
    for name, words in (("a", "safetensors file"), ("b", "a mask"), ("c", "a mask"), ("d", "nothing there")):
        with pytest.raises(InputError, match=words):
            load_mask(tmp_path / f"{name}.safetensors")
