"""What the verbs read, write and draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.data.readers.lines import read_lines
from holdfast.data.readers.records import Role, read_records
from holdfast.data.readers.tables import TableOptions, read_table
from holdfast.errors import InputError
from holdfast.language.translation import LocalTranslator
from holdfast.metrics.detector_report import DetectorReport, evaluate_detectors
from holdfast.systems.nmt_hallucinations.method import model_based as looks
from holdfast.systems.nmt_hallucinations.method.texts import TEXT_DETECTORS, ChrF, mean_rank
from holdfast.systems.nmt_hallucinations.problems import CSV_LABELS

SUSPICION, OWN_LABEL = "suspicion", "hallucination"
NOT_SCORES = ("row", "src", "mt", "ref")
Show = Callable[[int, int], None]


def read_texts(
    table: Path | None, files: Mapping[str, Path | None], columns: Sequence[str], options: TableOptions
) -> dict[str, list[str]]:
    """Sources, translations and (where given) references, from a table or from parallel files.

    Raises:
        InputError: neither or both are given; files of different length; what the readers raise.
    """
    if (table is None) == (files["src"] is None or files["mt"] is None):
        received = "both" if table is not None else "neither, or one of the two files"
        raise InputError("TABLE", "(columns src and mt) must be given, or --src and --mt", received)
    if table is not None:  # a translation may be empty, and that is worth knowing
        roles = [Role("src"), Role("mt", missing=True), Role("ref", required=False, missing=True)]
        found = read_records(table, roles, columns, options)
        given = [role.name for role in roles if role.name in found]
        return {name: ["" if cell is None else str(cell) for cell in found[name]] for name in given}
    texts = {name: read_lines(path, f"--{name}") for name, path in files.items() if path is not None}
    if len(set(map(len, texts.values()))) > 1:
        raise InputError("--mt", "must have as many lines as --src", str({n: len(t) for n, t in texts.items()}))
    return texts


def scored(texts: Mapping[str, list[str]], model: Path | None, device: str | None, show: Show) -> dict[str, Any]:
    """Columns of the table of scores: the row, how suspicious it is, every detector, the texts."""
    src, mt, ref = texts["src"], texts["mt"], texts.get("ref")
    found = {name: detector.score(src, mt) for name, detector in TEXT_DETECTORS.items()}
    columns: dict[str, Any] = {"row": np.arange(1, len(mt) + 1), SUSPICION: mean_rank(list(found.values())), **found}
    if ref is not None:
        columns["chrf"] = ChrF().score(src, mt, ref)
    if model is not None:
        translator = LocalTranslator(model, device=device)
        translator.progress = show
        outputs = translator.outputs(src, mt)
        columns["seq_logprob"] = looks.SeqLogprob().score(outputs=outputs)
        for of in (looks.attn_ignored_source, looks.attn_to_eos, looks.wass_to_unif):
            columns[of.__name__] = looks.OfAttention(of).score(outputs=outputs)
    short = {name: v.astype(np.float32) if v.dtype == np.float64 else v for name, v in columns.items()}
    return short | {"src": src, "mt": mt}


def read_scores(path: Path) -> dict[str, np.ndarray]:
    """Every numeric column of a table but the row: detector -> (N,) float64.

    Raises:
        InputError: there is none.
    """
    table = read_table(path)
    found = {c.name: c.numbers() for c in table.columns if c.kind in ("integer", "real") and c.name not in NOT_SCORES}
    if not found:
        raise InputError(str(path), "must have columns of scores", ", ".join(c.name for c in table.columns))
    return found


def read_labels(path: Path, names: Sequence[str], options: TableOptions) -> dict[str, np.ndarray]:
    """Columns of 0 and 1: those named, else those of the published corpus, else one called "hallucination".

    Raises:
        InputError: a column is not there, or is not all 0 and 1.
    """
    have = [column.name for column in read_table(path, options=options).columns]
    published = {name: column for name, column in CSV_LABELS.items() if column in have}
    wanted = {name: name for name in names} or published or {OWN_LABEL: OWN_LABEL}
    roles = [Role(name, kind="number") for name in wanted]
    records = read_records(
        path, roles, [f"{name}={column}" for name, column in wanted.items()], options, option="--label"
    )
    found = {name: np.asarray(records[name], float) for name in wanted}
    for name, values in found.items():
        if not np.isin(values, (0, 1)).all():
            raise InputError(
                f"{path}, column {wanted[name]!r}", "must hold 0 and 1", float(values[~np.isin(values, (0, 1))][0])
            )
    return found


__all__ = [
    "DetectorReport", "LocalTranslator", "evaluate_detectors", "read_labels", "read_scores", "read_texts", "scored"
]  # fmt: skip
