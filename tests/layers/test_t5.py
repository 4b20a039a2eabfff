"""T5 against transformers' T5: the same weights, the same logits; and its buckets against a loop."""

import math

import pytest
import torch

from holdfast.layers.t5 import T5, RMSNorm, relative_buckets
from holdfast.systems.scale_efficiently import T5Shape

transformers = pytest.importorskip("transformers")


def by_hand(distance, bidirectional, buckets=32, farthest=128):
    start = 0
    if bidirectional:
        buckets //= 2
        start, distance = (buckets if distance > 0 else 0), abs(distance)
    else:
        distance = max(0, -distance)
    exact = buckets // 2
    if distance < exact:
        return start + distance
    far = exact + int(math.log(distance / exact) / math.log(farthest / exact) * (buckets - exact))
    return start + min(far, buckets - 1)


@pytest.mark.parametrize("bidirectional", [True, False])
def test_buckets_are_the_loop(bidirectional):
    distance = torch.arange(-300, 301)
    assert relative_buckets(distance, bidirectional).tolist() == [by_hand(int(d), bidirectional) for d in distance]


def test_the_norm_is_the_formula():
    norm, x = RMSNorm(4), torch.tensor([[1.0, -2.0, 3.0, 0.5]])
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 0.5, 3.0]))
    root = math.sqrt((1 + 4 + 9 + 0.25) / 4 + 1e-6)
    assert torch.allclose(norm(x), torch.tensor([[1 / root, -4 / root, 1.5 / root, 1.5 / root]]))


@pytest.mark.parametrize("gated", [False, True])
def test_logits_are_those_of_transformers(gated):
    shape = T5Shape(2, 3, 24, 40, 6, 3, vocab=50, gated=gated)
    torch.manual_seed(0)
    theirs = transformers.T5ForConditionalGeneration(shape.to_hf_config()).eval()
    for value in theirs.parameters():
        torch.nn.init.normal_(value, std=0.3)
    ours = shape.build().eval()
    state = {name: value for name, value in theirs.state_dict().items() if name in ours.state_dict()}
    ours.load_state_dict(state)
    inputs, targets = torch.randint(0, 50, (2, 140)), torch.randint(0, 50, (2, 135))
    with torch.inference_mode():
        expected = theirs(input_ids=inputs, decoder_input_ids=targets).logits
        assert torch.allclose(ours(inputs, targets), expected, atol=1e-4 * float(expected.abs().max()))


def test_the_decoder_sees_no_later_word_and_gradients_reach_every_weight():
    torch.manual_seed(0)
    model = T5(1, 2, 8, 16, 4, 2, vocab=20, tied=False)
    inputs, targets = torch.randint(0, 20, (2, 6)), torch.randint(0, 20, (2, 5))
    changed = targets.clone()
    changed[:, 3] = (changed[:, 3] + 1) % 20
    before, after = model(inputs, targets), model(inputs, changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])
    before.square().sum().backward()
    assert all(value.grad is not None and value.grad.abs().sum() > 0 for value in model.parameters())
