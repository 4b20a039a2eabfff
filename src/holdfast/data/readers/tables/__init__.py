"""The one reader of tables: csv, tsv, txt, these with .gz, parquet, Excel workbooks, jsonl and json.

`read_table` opens any of them as typed columns; what was decided on the way (delimiter, encoding, header, decimal sign,
words for no value, ...) comes back as notes. `holdfast.data.readers.records` puts rows with named roles on top. The
public names are listed in `__init__.pyi` and imported when first used: `TableOptions` needs no numpy.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
