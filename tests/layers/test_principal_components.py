"""Principal components against scikit-learn."""

from __future__ import annotations

import pytest
import torch

from holdfast.errors import InputError
from holdfast.layers.principal_components import PrincipalComponents


def test_principal_components_are_those_of_scikit_learn():
    from sklearn.decomposition import PCA

    x = torch.randn(40, 2, 3, 3, generator=torch.Generator().manual_seed(5))
    ours = PrincipalComponents.of(x, 4)(x).numpy()
    theirs = PCA(4, svd_solver="full").fit_transform(x.flatten(1).double().numpy())
    assert abs(ours) == pytest.approx(abs(theirs), abs=1e-5)


def test_too_many_components_are_refused():
    with pytest.raises(InputError, match="dim"):
        PrincipalComponents.of(torch.zeros(3, 1, 4, 4), 4)
