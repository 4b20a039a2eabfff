"""All fuzzes."""

from __future__ import annotations

from fuzz import arrays, cards, commands, data_files, declarations, estimators, kept

FUZZES = (
    *commands.FUZZES,
    *cards.FUZZES,
    *kept.FUZZES,
    *declarations.FUZZES,
    *data_files.FUZZES,
    *arrays.FUZZES,
    *estimators.FUZZES,
)
