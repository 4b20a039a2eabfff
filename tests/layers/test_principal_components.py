"""Principal components against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.layers.principal_components import PrincipalComponents


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    x = 3 + torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(5))
    found, theirs = PrincipalComponents.of(x, 4), PCA(4, svd_solver="full").fit(x.flatten(1).double().numpy())
    for ours, direction in zip(found.components.T.numpy(), theirs.components_, strict=True):
        assert ours == pytest.approx(direction * np.sign(direction[abs(direction).argmax()]), abs=1e-5)
    wanted = (x.flatten(1).double().numpy() - theirs.mean_) @ found.components.double().numpy()
    assert found(x).numpy() == pytest.approx(wanted, abs=1e-5)
    assert found.dim == 4


def test_too_many_components_are_refused():
    with pytest.raises(InputError, match="dim"):
        PrincipalComponents.of(torch.zeros(3, 1, 4, 4), 4)
