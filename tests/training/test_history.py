import pickle

import pytest
import torch

from holdfast.errors import InputError
from holdfast.training.history import Diverged, History


class Elsewhere(History):
    """As on a GPU: losses are looked at in `flush` alone."""

    def __init__(self, steps):
        super().__init__(steps, torch.device("cpu"))
        self._at_once = False


def test_values_are_copied_when_they_are_recorded_and_fetched_in_order():
    history = History(10, torch.device("cpu"))
    weight = torch.ones(1, requires_grad=True)
    history.record(2, [{"w": weight, "plain": 0.1}])
    weight.data.fill_(5.0)
    history.record(4, [{"w": weight, "extra": True}])
    assert history.columns == {}
    history.flush()
    history.flush()
    assert history.columns == {"w": ([2, 4], [1.0, 5.0]), "plain": ([2], [0.1]), "extra": ([4], [1.0])}


def test_accumulated_batches_are_averaged():
    history = History(10, torch.device("cpu"))
    history.record(1, [{"a": torch.tensor(1.0)}, {"a": torch.tensor(4.0)}])
    history.flush()
    assert history.columns == {"a": ([1], [2.5])}


def test_on_a_device_the_first_bad_step_is_found_in_flush():
    history = Elsewhere(100)
    for step, loss in enumerate([1.0, 2.0, float("inf"), float("nan")], start=1):
        history.watch(step, torch.tensor(loss))
    with pytest.raises(Diverged, match="became inf at step 3 of 100"):
        history.flush()


def test_on_the_cpu_a_bad_loss_is_found_at_once():
    with pytest.raises(Diverged, match="became nan at step 7 of 100"):
        History(100, torch.device("cpu")).watch(7, torch.tensor(float("nan")))


def test_good_losses_pass_and_are_forgotten():
    history = Elsewhere(10)
    history.watch(1, torch.tensor(1e30))
    history.record(1, [{"a": torch.tensor(float("nan"))}])  # parts may be NaN: an accuracy of no cases
    history.flush()
    assert history.columns["a"][0] == [1]
    assert history._losses == []


def test_a_part_that_is_not_one_number_is_named():
    with pytest.raises(InputError, match=r"parts\['z'\].*shape \(2,\)"):
        History(1, torch.device("cpu")).record(1, [{"z": torch.zeros(2)}])


def test_state_round_trip_is_exact():
    history = History(10, torch.device("cpu"))
    history.record(3, [{"a": 0.1, "b": torch.tensor(1 / 3, dtype=torch.float64)}])
    history.flush()
    other = History(10, torch.device("cpu"))
    other.load_state_dict(history.state_dict())
    assert other.columns == history.columns


def test_diverged_crosses_processes():
    error = pickle.loads(pickle.dumps(Diverged(3, 9, float("inf"), "accuracy")))
    assert (error.step, error.steps, error.value, error.what) == (3, 9, float("inf"), "accuracy")
    assert str(error).startswith("the accuracy became inf at step 3 of 9; ")
