"""What a run may spend."""

from __future__ import annotations

import pytest

from holdfast.errors import InputError
from holdfast.language.budget import Budget, BudgetExceeded, Limits, Usage, current_budget, spend


def test_a_budget_of_money_and_time() -> None:
    clock = iter(range(100))
    budget = Budget(Limits(max_cost=1.0, timeout_s=6.0), clock=lambda: float(next(clock)))
    with budget:
        assert current_budget() is budget
        budget.admit()
        spend(Usage(cost=1.25))
        with pytest.raises(BudgetExceeded, match="max_cost"):
            budget.admit()
    assert current_budget() is None
    spend(Usage(cost=1.0))  # nobody to tell
    assert budget.spent.cost == 1.25
    with pytest.raises(BudgetExceeded, match="timeout_s"):
        [Budget(Limits(timeout_s=6.0), clock=lambda: float(next(clock) * 10)).admit() for _ in range(2)]


@pytest.mark.parametrize(
    "wrong", [{"max_calls": 0}, {"timeout_s": -1.0}, {"max_cost": float("nan")}, {"memory_mb": 1.5}]
)
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        Limits(**wrong)  # type: ignore[arg-type]
