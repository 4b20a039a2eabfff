import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.features import read_arrays, read_features
from holdfast.errors import InputError

FRAME = pd.DataFrame({"height": [1.5, 2.0, -3.0], "label": [0, 2, 1], "width": [1, 2, 3]})
SUFFIXES = [".csv", ".tsv", ".txt", ".csv.gz", ".parquet", ".pq", ".xlsx", ".jsonl", ".json", ".CSV"]


def write(path, frame):
    name = path.name.lower()
    if name.endswith((".parquet", ".pq")):
        frame.to_parquet(path)
    elif name.endswith(".xlsx"):
        frame.to_excel(path, index=False)
    elif name.endswith((".jsonl", ".json")):
        frame.to_json(path, orient="records", lines=name.endswith("l"))
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in name else ",")
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_all_formats_hold_the_same(tmp_path, suffix):
    x, y = read_arrays(write(tmp_path / f"a{suffix}", FRAME))
    np.testing.assert_array_equal(x, [[1.5, 1], [2, 2], [-3, 3]])
    np.testing.assert_array_equal(y, [0, 2, 1])
    assert x.dtype == np.float32
    assert y.dtype == np.int64


def test_columns_can_be_chosen_and_ordered(tmp_path):
    file = write(tmp_path / "a.csv", FRAME)
    x, y = read_arrays(file, x=["width", "height"], y="label")
    np.testing.assert_array_equal(x, [[1, 1.5], [2, 2], [3, -3]])
    x, y = read_arrays(file, x="height", y="width")
    assert x.shape == (3, 1)
    np.testing.assert_array_equal(y, [1, 2, 3])


def test_without_a_label_column_there_are_no_labels(tmp_path):
    found = read_features(write(tmp_path / "a.csv", FRAME.drop(columns="label")))
    assert found.x.shape == (3, 2)
    assert found.y is None
    assert found.names == ("height", "width")
    assert read_features(write(tmp_path / "b.csv", FRAME.rename(columns={"label": "y"}))).y is not None


def test_the_index_that_pandas_keeps_in_parquet_files_is_no_feature(tmp_path):
    FRAME.set_axis([10, 20, 30]).to_parquet(tmp_path / "a.parquet")
    assert read_features(tmp_path / "a.parquet").names == ("height", "width")


def test_what_was_decided_comes_along(tmp_path):
    (tmp_path / "a.csv").write_text("price;share;label\n1.200,50 €;5 %;1\n7 €;12,5 %;0\n", encoding="utf-8")
    found = read_features(tmp_path / "a.csv")
    np.testing.assert_array_equal(found.x, np.float32([[1200.5, 0.05], [7, 0.125]]))
    np.testing.assert_array_equal(found.rows, [2, 3])
    assert any("percent" in note for note in found.notes)


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".xlsx"])
@pytest.mark.parametrize(
    ("change", "ask", "words"),
    [
        ({"height": [1.0, np.nan, 2.0]}, {}, "column 'height'.*finite.*no value in row {2}"),
        ({"height": [1.0, 2.0, 1e300]}, {}, "column 'height'.*finite.*row {3}"),
        ({"height": ["1", "tall", "2"]}, {}, "column 'height'.*numbers.*'tall' in row {2}"),
        ({"label": [0, 1.5, 1]}, {}, "column 'label'.*whole numbers.*1.5 in row {2}"),
        ({"label": ["cat", "dog", "cat"]}, {}, "column 'label'.*numbers.*'cat' in row {1}"),
        ({"label": [0, np.nan, 1]}, {}, "column 'label'.*no value in row {2}"),
        ({}, {"y": "lable"}, "did you mean 'label'"),
        ({}, {"x": ["hight"]}, "did you mean 'height'"),
        ({}, {"x": []}, "at least one feature"),
    ],
)
def test_bad_values_name_file_column_and_row(tmp_path, suffix, change, ask, words):
    file = write(tmp_path / f"a{suffix}", FRAME.assign(**change))
    header = 0 if suffix == ".parquet" else 1  # rows are counted as a spreadsheet does
    for row in (1, 2, 3):
        words = words.replace(f"{{{row}}}", str(row + header))
    with pytest.raises(InputError, match=words) as caught:
        read_arrays(file, **ask)
    assert str(file) in caught.value.argument


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_infinite_values(tmp_path, suffix):
    file = write(tmp_path / f"a{suffix}", FRAME.assign(height=[1.0, np.inf, 2.0]))
    with pytest.raises(InputError, match=r"column 'height'.*inf in row"):
        read_arrays(file)


def test_labels_beyond_doubles_are_exact(tmp_path):
    (tmp_path / "a.csv").write_text("x,label\n1,9007199254740993\n2,-9223372036854775808\n")
    assert read_arrays(tmp_path / "a.csv")[1].tolist() == [2**53 + 1, -(2**63)]
    (tmp_path / "b.csv").write_text("x,label\n1,9007199254740993.0\n")
    with pytest.raises(InputError, match="whole numbers"):
        read_arrays(tmp_path / "b.csv")


def test_other_mistakes(tmp_path):
    with pytest.raises(InputError, match="at least one row"):
        read_features(write(tmp_path / "a.csv", FRAME[:0]))
    with pytest.raises(InputError, match="nothing there"):
        read_features(tmp_path / "lost.csv")
    with pytest.raises(InputError, match=r"must end in one of \.csv"):
        read_features(write(tmp_path / "a.csv", FRAME).rename(tmp_path / "a.dat"))
    (tmp_path / "b.csv").write_text("label\n1\n0\n")
    with pytest.raises(InputError, match="feature column"):
        read_features(tmp_path / "b.csv")
