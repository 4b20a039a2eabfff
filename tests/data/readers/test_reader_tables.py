import numpy as np
import pandas as pd
import pytest

from holdfast.data.readers.arrays import read_arrays
from holdfast.data.readers.tables import read_table
from holdfast.errors import InputError

FRAME = pd.DataFrame({"height": [1.5, 2.0, -3.0], "label": [0, 2, 1], "width": [1, 2, 3]})


def write(path, frame):
    if path.suffix in (".parquet", ".pq"):
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False, sep="\t" if path.suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".pq", ".CSV"])
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
    x, y = read_table(write(tmp_path / "a.csv", FRAME.drop(columns="label")))
    assert x.shape == (3, 2)
    assert y is None
    assert read_table(write(tmp_path / "b.csv", FRAME.rename(columns={"label": "y"})))[1] is not None


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize(
    ("change", "ask", "words"),
    [
        ({"height": [1.0, np.nan, 2.0]}, {}, "column 'height'.*finite.*data row 2"),
        ({"height": [1.0, np.inf, 2.0]}, {}, "column 'height'.*inf in data row 2"),
        ({"height": [1.0, 2.0, 1e300]}, {}, "column 'height'.*data row 3"),
        ({"height": ["1", "tall", "2"]}, {}, "column 'height'.*tall in data row 2"),
        ({"label": [0, 1.5, 1]}, {}, "column 'label'.*whole numbers.*1.5 in data row 2"),
        ({"label": ["cat", "dog", "cat"]}, {}, "column 'label'.*cat in data row 1"),
        ({"label": [0, np.nan, 1]}, {}, "column 'label'.*data row 2"),
        ({}, {"y": "lable"}, "did you mean 'label'"),
        ({}, {"x": ["hight"]}, "did you mean 'height'"),
        ({}, {"x": []}, "at least one feature"),
    ],
)
def test_bad_values_name_file_column_and_row(tmp_path, suffix, change, ask, words):
    file = write(tmp_path / f"a{suffix}", FRAME.assign(**change))
    with pytest.raises(InputError, match=words) as caught:
        read_arrays(file, **ask)
    assert str(file) in caught.value.argument


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00\x81"])
def test_damaged_files(tmp_path, suffix, content):
    file = tmp_path / f"a{suffix}"
    file.write_bytes(content)
    with pytest.raises(InputError, match=f"a{suffix}"):
        read_table(file)


@pytest.mark.parametrize("text", ["a,b\n1,2\n3,4,5\n", "a,b\n1,2,3\n4,5,6\n", "a,b\n1,2\n3\n", 'a,b\n1,"2\n'])
def test_ragged_lines(tmp_path, text):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=r"a\.csv"):
        read_table(tmp_path / "a.csv")


def test_other_mistakes(tmp_path):
    with pytest.raises(InputError, match="at least one row"):
        read_table(write(tmp_path / "a.csv", FRAME[:0]))
    with pytest.raises(InputError, match="nothing there"):
        read_table(tmp_path / "lost.csv")
    with pytest.raises(InputError, match="must end in"):
        read_table(write(tmp_path / "a.csv", FRAME).rename(tmp_path / "a.txt"))
    (tmp_path / "b.csv").write_text("label\n1\n0\n")
    with pytest.raises(InputError, match="feature column"):
        read_table(tmp_path / "b.csv")
