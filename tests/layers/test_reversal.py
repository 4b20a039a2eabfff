"""The gradient behind the layer, turned around and scaled."""

import torch

from holdfast.layers.reversal import reverse_gradient


def test_gradient_is_reversed_and_scaled():
    x = torch.randn(5, dtype=torch.float64, requires_grad=True)
    y = reverse_gradient(x, 0.3)
    assert torch.equal(y, x)
    seed = torch.randn(5, dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(y, x, seed)[0], -0.3 * seed)
