"""The words that programs may use. To allow another function, add its name; what is not here is refused."""

from __future__ import annotations

# Functions of a value, of a group and of a window, in SQLite and DuckDB. Left out on purpose: whatever reads files or
# settings, makes long texts (printf, zeroblob, hex, repeat, lpad), makes rows, or differs from run to run (random).
_FUNCTIONS = """
abs avg cast ceil ceiling coalesce concat contains count cume_dist date date_diff date_part datetime day dayname
dense_rank ends_with exp extract first_value floor group_concat hour if ifnull iif instr isnull julianday lag
last_day last_value lcase lead left len length like ln log log10 log2 lower ltrim max mean median min minute mod
month monthname nth_value ntile nullif percent_rank pow power quarter rank regexp_extract regexp_full_match
regexp_matches replace reverse right round row_number rtrim second sign sqrt starts_with stddev stddev_pop
stddev_samp strftime string_agg strpos strptime substr substring sum time timestamp total trim try_cast trunc
typeof ucase unicode upper var_pop var_samp variance week weekday year
"""
# Words that a parenthesis may follow without being functions.
_KEYWORDS = """
all and any as asc between by case collate desc distinct else end except exists filter from group having in
intersect is join like limit not null offset on or order over partition range rows select then union using
values when where with glob escape cross inner outer natural current_date decimal numeric varchar char real int
integer bigint double float text boolean
"""
# Those of them, and of the functions, that are types.
_TYPES = """
date datetime time timestamp year decimal numeric varchar char real int integer bigint double float text boolean row
"""
# Structure, in sqlglot's names of nodes. Functions are judged by their names above.
_NODES = """
Select Subquery Union Except Intersect With CTE TableAlias From Join Where Group Having Order Ordered Limit
Offset Distinct Alias Column Identifier Table Star Literal Null Boolean Paren Tuple Case If Cast TryCast
DataType DataTypeParam Between In Is Not Neg And Or Xor EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Add Sub Mul
Div IntDiv Mod DPipe SafeDPipe BitwiseAnd BitwiseOr BitwiseNot BitwiseXor BitwiseLeftShift BitwiseRightShift
Like ILike Glob Escape Collate Exists Any All Window WindowSpec Filter Var Interval Aliases Concat SafeConcat
Anonymous AtTimeZone IgnoreNulls RespectNulls WithinGroup Named CurrentDate CurrentTimestamp
"""

FUNCTIONS = frozenset(_FUNCTIONS.split())
KEYWORDS = frozenset(_KEYWORDS.split())
NODES = frozenset(_NODES.split())
TYPES = frozenset(_TYPES.split())

__all__ = ["FUNCTIONS", "KEYWORDS", "NODES", "TYPES"]
