import pytest

from holdfast.data.readers.tables import TableOptions, read_table


@pytest.fixture
def read(tmp_path):
    """Reads a text as a table: read(text, name="a.csv", written="utf-8", kinds=..., decimal=",", ...)."""

    def reader(text, name="a.csv", written="utf-8", **options):
        known = {key: options.pop(key) for key in ("kinds", "columns", "bounds") if key in options}
        content = text.encode(written) if isinstance(text, str) else text
        (tmp_path / name).write_bytes(content)
        return read_table(tmp_path / name, options=TableOptions(**options), **known)

    return reader
