"""EmbeddingMigrator: the contract of estimators, exact recovery, what is refused."""

from __future__ import annotations

import pytest

from holdfast.systems.fct import EmbeddingMigrator
from holdfast.testing.estimator_checks import checks_for


@pytest.mark.parametrize(("name", "check"), checks_for(EmbeddingMigrator))
def test_contract(name, check) -> None:
    check()
