"""Parallel text files."""

import pytest

from holdfast.data.readers.lines import read_lines
from holdfast.errors import InputError


@pytest.mark.parametrize("text", ["a\nb c\n\nd\n", "a\r\nb c\r\n\r\nd", "\ufeffa\nb c\n\nd\n"])
def test_lines_are_sentences_whatever_ends_them(tmp_path, text):
    file = tmp_path / "x.de"
    file.write_bytes(text.encode())
    assert read_lines(file, "src") == ["a", "b c", "", "d"]


def test_other_line_breaks_stay_inside_a_sentence(tmp_path):
    file = tmp_path / "x.de"
    file.write_text("a\u2028b\x0cc\n", encoding="utf-8")
    assert read_lines(file, "src") == ["a\u2028b\x0cc"]


@pytest.mark.parametrize("content", [b"", b"\n \n", b"\xff\xfe\x00"])
def test_what_holds_no_sentences_is_refused(tmp_path, content):
    file = tmp_path / "x.de"
    file.write_bytes(content)
    with pytest.raises(InputError, match="--src: must"):
        read_lines(file, "--src")
    with pytest.raises(InputError, match="must be a text file"):
        read_lines(tmp_path / "none", "--src")
