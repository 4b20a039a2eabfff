from .bounds import Bounds as Bounds
from .options import TableOptions as TableOptions
from .reading import SUFFIXES as SUFFIXES
from .reading import is_table as is_table
from .reading import open_table as open_table
from .reading import read_table as read_table
from .table import Column as Column
from .table import Kind as Kind
from .table import Table as Table

__all__ = ["SUFFIXES", "Bounds", "Column", "Kind", "Table", "TableOptions", "is_table", "open_table", "read_table"]
