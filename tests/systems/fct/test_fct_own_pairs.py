"""A user's own pairs: what is read, how it is divided, what is refused, and the experiment on them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from holdfast.errors import InputError
from holdfast.experiment.claims import check as check_claim
from holdfast.systems.fct.experiment import own
from holdfast.systems.fct.experiment.own_pairs import OwnPairs
from holdfast.systems.fct.tool.pair_files import read_pair_columns
from holdfast.trials.campaign import Campaign
from holdfast.trials.plan import ExperimentSource


def pairs(rows=80, old=6, new=5, side=None):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, old)).astype(np.float32)
    y = (x @ rng.normal(size=(old, new))).astype(np.float32)
    return {"old": x, "new": y} | ({} if side is None else {"side": rng.normal(size=(rows, side)).astype(np.float32)})


def lists(x, fixed=True):
    if not fixed:
        return pa.array(x.tolist(), pa.list_(pa.float32()))
    return pa.FixedSizeListArray.from_arrays(pa.array(x.ravel(), pa.float32()), x.shape[1])


@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("groups", [80, 7])
def test_parquet_gives_what_was_written(tmp_path, fixed, groups):
    given_ = pairs(side=3)
    table = pa.table(
        {k: lists(v, fixed) for k, v in given_.items()} | {"id": [f"row {i}" for i in range(80)], "x": [0] * 80}
    )
    pq.write_table(table, tmp_path / "p.parquet", row_group_size=groups)
    found = read_pair_columns(tmp_path / "p.parquet", "--on")
    assert list(found) == ["old", "new", "side", "id"]
    assert all(np.array_equal(found[k], v) for k, v in given_.items())
    assert found["id"][5] == "row 5"


def test_npz_gives_the_same(tmp_path):
    np.savez(tmp_path / "p.npz", **pairs(), label=np.arange(80) % 3)
    found = read_pair_columns(tmp_path / "p.npz", "--on")
    assert list(found) == ["old", "new", "label"]
    problem = OwnPairs(str(tmp_path / "p.npz"))
    data = problem.split(np.random.default_rng(0))
    assert data.metric == "l2"
    assert [len(data.fit), len(data.validation), len(data.test)] == [48, 12, 20]
    assert problem.resplit == (20, 48)
    whole = np.concatenate([part.old.numpy() for part in (data.fit, data.validation, data.test)])
    assert np.array_equal(whole[np.lexsort(whole.T)], found["old"][np.lexsort(found["old"].T)])
    row = int(np.flatnonzero((found["old"] == data.test.old[3].numpy()).all(1))[0])
    assert np.array_equal(found["new"][row], data.test.new[3].numpy())
    assert found["label"][row] == data.test.labels[3]


def test_the_distance_is_the_cosine_where_the_new_index_is_normalised(tmp_path):
    given_ = pairs()
    given_["new"] /= np.linalg.norm(given_["new"], axis=1, keepdims=True)
    np.savez(tmp_path / "p.npz", **given_)
    assert OwnPairs(str(tmp_path / "p.npz")).split(np.random.default_rng(0)).metric == "cosine"


def test_rows_without_a_direction_are_named_where_angles_count(tmp_path):
    given_ = pairs()
    given_["new"] /= np.linalg.norm(given_["new"], axis=1, keepdims=True)
    given_["old"][[7, 31]] = 0
    np.savez(tmp_path / "p.npz", **given_)
    with pytest.raises(InputError, match=r"p\.npz: old: must have no rows of zeros .* 2 of 80, .* rows 7, 31"):
        OwnPairs(str(tmp_path / "p.npz"))


def test_ids_that_hardly_differ_are_refused(tmp_path):
    np.savez(tmp_path / "p.npz", **pairs(), id=np.zeros(80, int))
    with pytest.raises(InputError, match="differ between enough rows"):
        OwnPairs(str(tmp_path / "p.npz")).split(np.random.default_rng(0))


def broken(name):
    good = pairs()
    nan = good["new"].copy()
    nan[7, 2] = np.nan
    return {
        "no new": ({"old": good["old"]}, "column 'new'"),
        "rows": ({"old": good["old"], "new": good["new"][:70]}, r"as many rows as old \(80\); received 70"),
        "nan": ({"old": good["old"], "new": nan}, r"finite.*\(7, 2\)"),
        "few": ({k: v[:20] for k, v in good.items()}, "at least 60 pairs; received 20"),
        "flat": ({"old": good["old"][:, 0], "new": good["new"]}, "shape"),
        "words": ({"old": np.full((80, 2), "a"), "new": good["new"]}, "numbers"),
        "label": ({**good, "label": np.linspace(0, 1, 80)}, "whole numbers or words"),
        "empty": ({"old": good["old"][:0], "new": good["new"][:0]}, "empty"),
    }[name]


@pytest.mark.parametrize("name", ["no new", "rows", "nan", "few", "flat", "words", "label", "empty"])
def test_bad_arrays_are_refused_in_words(tmp_path, name):
    arrays, message = broken(name)
    np.savez(tmp_path / "p.npz", **arrays)
    with pytest.raises(InputError, match=message):
        own([tmp_path / "p.npz"], {})


def test_bad_files_are_refused_in_words(tmp_path):
    good = pairs()
    ragged = pa.array([[1.0] * (3 if i == 5 else 4) for i in range(80)])
    holes = pa.array([None if i == 9 else [1.0, 2.0] for i in range(80)], pa.list_(pa.float32()))
    for name, column, message in (("ragged", ragged, "one length.*row 5"), ("holes", holes, "missing values.*row 9")):
        pq.write_table(pa.table({"old": column, "new": lists(good["new"])}), tmp_path / f"{name}.parquet")
        with pytest.raises(InputError, match=message):
            own([tmp_path / f"{name}.parquet"], {})
    np.savez(tmp_path / "objects.npz", old=np.array([object()] * 80), new=good["new"])
    (tmp_path / "x.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "x.npz").write_bytes(b"PK no")
    (tmp_path / "x.csv").write_text("old,new\n1,2\n")
    for file in ("objects.npz", "x.parquet", "x.npz", "x.csv", "missing.npz"):
        with pytest.raises(InputError):
            own([tmp_path / file], {})
    with pytest.raises(InputError, match="one parquet or npz file"):
        own([tmp_path / "x.npz", tmp_path / "x.npz"], {})


def test_what_is_compared_follows_from_what_there_is(tmp_path):
    np.savez(tmp_path / "plain.npz", **pairs())
    np.savez(tmp_path / "all.npz", **pairs(old=5, side=3), label=np.arange(80) % 4)
    plain, everything = own([tmp_path / "plain.npz"], {}), own([tmp_path / "all.npz"], {})
    assert list(plain.arms) == ["old/old", "ridge", "mlp"]
    assert set(everything.arms) == {*plain.arms, "raw new/old", "procrustes", "ridge + side", "mlp + side"}
    assert "mAP" not in plain.metrics
    assert "mAP" in everything.metrics
    for experiment in (plain, everything):
        for claim in experiment.claims:
            check_claim(claim, experiment)


def test_a_linear_migration_is_found_by_the_linear_map(tmp_path):
    np.savez(tmp_path / "p.npz", **pairs(old=5, side=3), label=np.arange(80) % 4)
    source = ExperimentSource("fct", (str(tmp_path / "p.npz"),))
    results = Campaign(source, "smoke", tmp_path / "run", first=0).run()
    assert [record.error for record in results.failed] == []
    recall = {record.arm: record.scalars["recall@10"] for record in results.finished}
    assert recall["ridge"] > 90
    assert recall["ridge"] > recall["procrustes"]
    assert recall["ridge"] > recall["old/old"]
