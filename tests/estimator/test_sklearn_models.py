"""scikit-learn models on disk: trusted types only, no pickle."""

import sys

import pytest

from holdfast.errors import InputError, MissingExtra
from holdfast.estimator.sklearn_models import load_sklearn, save_sklearn
from holdfast.validation import check_array


@pytest.mark.slow  # importing skops takes seconds
def test_untrusted_types_in_skops_files_are_listed(tmp_path):
    pytest.importorskip("skops")
    from sklearn.preprocessing import FunctionTransformer

    path = tmp_path / "f.skops"
    save_sklearn(FunctionTransformer(func=check_array), path)
    with pytest.raises(InputError, match=r"holdfast\.validation\.check_array"):
        load_sklearn(path)
    back = load_sklearn(path, trusted=["holdfast.validation.check_array"])
    assert back.func is check_array
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match="readable skops file"):
        load_sklearn(path)


def test_missing_skops_is_said(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(MissingExtra, match=r"holdfast\[sklearn\]"):
        save_sklearn(object(), tmp_path / "x.skops")
