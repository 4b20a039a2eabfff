"""Which devices there are."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from holdfast.devices import check_device
from holdfast.errors import InputError


def test_the_processor_is_there() -> None:
    assert check_device("cpu") == check_device(torch.device("cpu")) == torch.device("cpu")


@pytest.mark.parametrize("device", ["gpu", "", "cpu:x", None, 1.5, [], "cuda:99", "xla", "meta", "cpu:7"])
def test_what_is_no_device_here_is_named(device: Any) -> None:
    with pytest.raises(InputError, match="place: must be"):
        check_device(device, "place")
