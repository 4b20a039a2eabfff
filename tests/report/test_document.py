from __future__ import annotations

from html.parser import HTMLParser

import pandas as pd
import pytest
from matplotlib.figure import Figure

from holdfast.report.canvas import Drawing
from holdfast.report.document import Document, Grid, Section, write_document

NASTY = '<script>alert("x")</script>&amp;\x1b[31m'


class Read(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def page(tmp_path):
    figure = Figure(figsize=(2, 2))
    figure.add_axes((0, 0, 1, 1)).plot([0, 1], [0, 1])
    table = pd.DataFrame({"layer": [NASTY, "b"], "slope": [0.5, float("nan")], "mixed": [1, "x"]})
    document = Document(
        kind=NASTY,
        title=NASTY,
        good=False,
        notices=(NASTY,),
        sections=(
            Section(
                NASTY, (NASTY,), (Drawing("drawn", NASTY, NASTY, figure),), (Grid.of(table, NASTY, {0}),), (NASTY,)
            ),
        ),
        command=NASTY,
        facts={NASTY: NASTY},
    )
    path = write_document(document, tmp_path / "page.html")
    return Read(path.read_text(encoding="utf-8"))


def test_everything_is_there_and_escaped(page):
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert "".join(page.words).count('alert("x")') >= 10
    assert ("span", {"class": "badge fails"}) in page.tags
    assert [attrs for tag, attrs in page.tags if tag == "tr" and attrs] == [{"class": "marked"}]
    assert any(tag == "svg" and attrs["role"] == "img" for tag, attrs in page.tags)


def test_numbers_are_sorted_as_numbers(page):
    heads = [attrs for tag, attrs in page.tags if tag == "th" and attrs["scope"] == "col"]
    assert [attrs.get("class") for attrs in heads] == [None, "num", None]
    values = [attrs["data-value"] for tag, attrs in page.tags if "data-value" in attrs]
    assert values == ["0.5", "1", ""]
