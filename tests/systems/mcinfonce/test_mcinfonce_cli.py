"""The verbs on files of our own, and on broken ones."""

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.mcinfonce import ProbabilisticEncoder
from holdfast.systems.mcinfonce.cli import app

FAST = ["--steps", "5", "--width", "8", "--batch", "16", "--dim", "3", "--quiet"]


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("own rows")
    rng = np.random.default_rng(0)
    y = np.arange(50) % 5
    np.save(root / "x.npy", rng.normal(size=(5, 4))[y] + 0.3 * rng.normal(size=(50, 4)))
    pd.DataFrame({"id": [f"photo {i}" for i in range(50)], "label": y, "kind": y}).to_csv(root / "y.csv", index=False)
    said = run("fit", root / "x.npy", "--labels", root / "y.csv", "-o", root / "m", *FAST)
    assert said.exit_code == 0, said.output
    assert "learned from 50 rows of 5 labels" in " ".join(said.output.split())
    return root


def test_the_ranking_is_the_estimators(folder):
    found = run("rank", folder / "x.npy", "--model", folder / "m", "-o", folder / "r.csv", "--ids", folder / "y.csv",
                "--figure", folder / "k.png")  # fmt: skip
    assert found.exit_code == 0, found.output
    table = pd.read_csv(folder / "r.csv")
    assert list(table) == ["row", "id", "kappa", "credible_rows", "mu_0", "mu_1", "mu_2"]
    mu, kappa = ProbabilisticEncoder.load(folder / "m").embed(np.load(folder / "x.npy"))
    assert table["kappa"].is_monotonic_increasing
    np.testing.assert_allclose(table["kappa"], np.sort(kappa), rtol=1e-5)
    np.testing.assert_allclose(table[["mu_0", "mu_1", "mu_2"]], mu[table["row"]], atol=1e-5)
    assert (table["id"] == [f"photo {i}" for i in table["row"]]).all()
    assert table["credible_rows"].between(1, 50).all()
    assert f"photo {kappa.argmin()}" in found.output
    assert (folder / "k.png").stat().st_size > 1000


def test_a_table_of_features_and_another_column(folder):
    pd.DataFrame(np.load(folder / "x.npy"), columns=list("abcd")).to_csv(folder / "x.csv", index=False)
    found = run("fit", folder / "x.csv", "--labels", folder / "y.csv", "--label-column", "kind", "-o", folder / "m2",
                *FAST)  # fmt: skip
    assert found.exit_code == 0, found.output
    found = run("rank", folder / "x.csv", "--model", folder / "m2", "-o", folder / "r.parquet")
    assert found.exit_code == 0, found.output
    assert "id" not in pd.read_parquet(folder / "r.parquet")


@pytest.mark.parametrize(
    ("x", "named"),
    [
        (np.full((50, 4), np.nan), "finite"),
        (np.zeros((0, 4)), "N, F|row|empty"),
        (np.zeros(50), "N, F"),
        (np.ones((50, 4)), "different rows"),
        (np.ones((49, 4)), "row for each of the 49"),
        (np.array([["a"] * 4] * 50), "number|float|numeric"),
    ],
)
def test_broken_features(folder, x, named):
    np.save(folder / "bad.npy", x)
    with pytest.raises(InputError, match=named):
        run("fit", folder / "bad.npy", "--labels", folder / "y.csv", "-o", folder / "new", *FAST)
    assert not (folder / "new").exists()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty|row|name"),
        ("other\n1\n", "label"),
        ("label\n" + "one\n" * 50, "label"),
        ("label\n" + "".join(f"{i}\n" for i in range(50)), "two rows share"),
        ("label\n1\n2\n", "row for each of the 50"),
    ],
)
def test_broken_labels(folder, text, named):
    (folder / "bad.csv").write_text(text)
    with pytest.raises(InputError, match=named):
        run("fit", folder / "x.npy", "--labels", folder / "bad.csv", "-o", folder / "new", *FAST)
    assert not (folder / "new").exists()


def test_rows_of_another_width(folder):
    np.save(folder / "wide.npy", np.zeros((3, 5)))
    with pytest.raises(InputError, match=r"wide\.npy: must have shape"):
        run("rank", folder / "wide.npy", "--model", folder / "m", "-o", folder / "no.csv")
    assert not (folder / "no.csv").exists()
