"""Labels of any kind as class indices, and back."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.errors import InputError
from holdfast.estimator.labels import encode_labels


@settings(deadline=None)
@given(
    st.one_of(
        st.lists(st.integers(-(2**40), 2**40), min_size=2, max_size=20),
        st.lists(st.text(st.characters(blacklist_characters="\0", codec="utf-8"), max_size=5), min_size=2, max_size=20),
    ).filter(lambda y: len(set(y)) > 1)
)
def test_encoding_is_undone_by_the_classes(y):
    indices, classes = encode_labels(y)
    assert classes[indices].tolist() == y
    assert classes.tolist() == sorted(set(y))
    again, same = encode_labels(y[::-1], classes=classes)
    assert np.array_equal(again, indices[::-1])
    assert same.tolist() == classes.tolist()


def test_label_kinds():
    assert encode_labels(torch.tensor([5, 7]))[1].tolist() == [5, 7]
    assert encode_labels(pd.Series(["b", "a"]))[1].tolist() == ["a", "b"]
    assert encode_labels([True, False])[0].tolist() == [1, 0]
    for wrong, words in (
        ([0, "a"], "not both"),
        (np.array([0, "a"], dtype=object), "not both"),
        (pd.Series(["a", None]), "received 1 missing of 2, the first in row 1"),
        ([0.5, 1.0], "whole numbers or strings"),
        (torch.tensor([0.5, 1.0]).bfloat16(), "whole numbers or strings"),
        ([[0], [1]], "shape"),
        (torch.tensor([0, 1]).to_sparse(), "dense"),
        ([], "empty"),
        ([1, 1], "at least 2 different classes"),
    ):
        with pytest.raises(InputError, match=words) as e:
            encode_labels(wrong, name="ys")
        assert e.value.argument == "ys"


def test_labels_that_known_classes_lack():
    with pytest.raises(InputError, match=r"\['cat', 'dog'\]; received 'cow' at index 1"):
        encode_labels(["cat", "cow"], classes=np.array(["cat", "dog"]))
    with pytest.raises(InputError, match="must hold strings"):
        encode_labels([0, 1], classes=np.array(["cat", "dog"]))
    with pytest.raises(InputError, match="received 99 at index 0"):
        encode_labels([99], classes=np.arange(3))
