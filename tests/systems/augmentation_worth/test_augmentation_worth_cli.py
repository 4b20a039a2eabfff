"""`holdfast augmentation_worth table` on good and on broken files."""

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.augmentation_worth.cli import app
from holdfast.systems.augmentation_worth.tool.results import priced, read_results


def runs(scale=1.0):
    rows = []
    for n in (100, 200, 400, 800, 1600):
        for arm, worth in (("none", 1), ("flip", 0.5), ("affine", 3)):
            for seed in range(2):
                for test, floor in (("clean", 0.03), ("noisy", 0.2)):
                    rows.append((arm, n, seed, test, scale * (floor + 9 * (worth * n) ** -0.9 * (0.99 + 0.02 * seed))))
    return pd.DataFrame(rows, columns=["arm", "n", "seed", "test_set", "error"])


def run(path, *more, reference="none"):
    out = path.with_name("rates.csv")
    arguments = ["table", path, "--reference", reference, "-o", out, "--draws", 40, "--quiet", *more]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.output + repr(result.exception)
    return pd.read_csv(out, keep_default_na=False), result.output


def refused(frame, path, *more, reference="none"):
    frame.to_csv(path, index=False)
    arguments = ["table", path, "--reference", reference, "-o", path.with_name("x.csv"), "--quiet", *more]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert isinstance(result.exception, InputError | SystemExit), result.output
    assert not path.with_name("x.csv").exists()
    assert not path.with_name("x.png").exists()
    return f"{result.exception} {result.output}"


def test_percent_and_shares_give_the_same_rates(tmp_path):
    runs().to_csv(tmp_path / "a.csv", index=False)
    shares, said = run(tmp_path / "a.csv")
    assert "shares" in said
    runs(100).to_csv(tmp_path / "b.csv", index=False)
    percent, said = run(tmp_path / "b.csv")
    assert "percent" in said
    pd.testing.assert_frame_equal(shares, percent, rtol=1e-6)
    inside = shares[(shares["arm"] == "affine") & (shares["n"] <= 400)]
    np.testing.assert_allclose(inside["law_rate"].astype(float), 3, rtol=0.02)
    np.testing.assert_allclose(inside["rate"].astype(float), 3, rtol=0.1)
    low = shares[(shares["arm"] == "flip") & (shares["n"] == 100)]
    assert low["censored"].tolist() == ["at most"] * 2
    high = shares[(shares["arm"] == "affine") & (shares["n"] == 1600)]
    assert high["censored"].tolist() == ["at least"] * 2
    assert high["rate"].tolist() == [1, 1]
    assert high["extrapolated"].tolist() == [True, True]
    assert "at least the rate shown" in said
    assert "extrapolates" in said
    assert (tmp_path / "rates.png").stat().st_size > 10_000


def test_columns_can_have_other_names_and_test_sets_and_seeds_be_absent(tmp_path):
    frame = runs().query("test_set == 'clean'").drop(columns=["test_set", "seed"])
    frame.columns = ["policy", "images", "err"]
    frame.to_csv(tmp_path / "a.csv", index=False)
    given = [word for role in ("arm=policy", "n=images", "error=err") for word in ("--column", role)]
    found, _ = run(tmp_path / "a.csv", *given, "--figure", tmp_path / "f.svg")
    assert set(found["test_set"]) == {"test"}
    assert len(found) == 10
    assert found["runs"].eq(2).all()
    assert (tmp_path / "f.svg").exists()


def test_errors_of_the_file_are_one_line(tmp_path):
    path, good = tmp_path / "a.csv", runs()
    assert "at least 4 sizes" in refused(good[good["n"] < 800], path)
    assert "factor of 10" in refused(good[good["n"] < 1600], path)
    assert "nix" in refused(good, path, reference="nix")
    assert "none on noisy" in refused(good[(good["arm"] != "none") | (good["test_set"] == "clean")], path)
    assert "another arm" in refused(good[good["arm"] == "none"], path)
    assert "must not repeat" in refused(pd.concat([good, good.iloc[:1]]), path)
    for value in (0.0, -0.1):
        assert "error above 0" in refused(good.assign(error=[value, *good["error"][1:]]), path)
    assert "inf" in refused(good.assign(error=[np.inf, *good["error"][1:]]), path)
    assert "at most 100" in refused(good.assign(error=[140.0, *good["error"][1:]]), path)
    assert "at most 1 (a share)" in refused(good.assign(error=[1.4, *good["error"][1:]]), path, "--unit", "share")
    assert "error" in refused(good.assign(error=[np.nan, *good["error"][1:]]), path)
    assert "error" in refused(good.assign(error=["abc", *good["error"][1:]]), path)
    assert "size n above 0" in refused(good.assign(n=[-5, *good["n"][1:]]), path)
    assert "at least one row" in refused(good.iloc[:0], path)
    assert "error" in refused(good.drop(columns="error"), path)
    assert "unit" in refused(good, path, "--unit", "points")


def notes(frame):
    return "; ".join(note for one in priced(frame, "none", n_boot=5) for note in one.notes)


def test_what_the_table_cannot_say_is_said(tmp_path):
    good = runs()
    good[(good["arm"] != "flip") | (good["test_set"] == "clean")].to_csv(tmp_path / "a.csv", index=False)
    found, said = run(tmp_path / "a.csv")
    assert "noisy: no run of flip" in said
    assert len(found) == 15
    assert "rises" not in said
    assert "never falls with" not in said
    plain = good["arm"] == "none"
    assert "rises somewhere" in notes(good.assign(error=good["error"].where(~plain | (good["n"] != 800), 0.35)))
    assert "never falls with more data" in notes(good.assign(error=good["error"].where(~plain, 0.2)))
    assert "never falls with more data" in notes(good.assign(error=good["error"].where(~plain, good["n"] / 2000)))
    assert "single runs" in notes(good[good["seed"] == 0])
    assert "single runs" not in notes(good)


@pytest.mark.parametrize("ending", ["tsv", "parquet"])
def test_other_formats_give_the_same(tmp_path, ending):
    runs().to_csv(tmp_path / "a.csv", index=False)
    path = tmp_path / f"b.{ending}"
    runs().to_parquet(path) if ending == "parquet" else runs().to_csv(path, sep="\t", index=False)
    pd.testing.assert_frame_equal(read_results(tmp_path / "a.csv").runs, read_results(path).runs)


@pytest.mark.parametrize("draws", [0, -3])
def test_draws_are_checked(tmp_path, draws):
    assert "--draws" in refused(runs(), tmp_path / "a.csv", "--draws", draws)
