"""The verbs on tables of our own making, whole and broken."""

from __future__ import annotations

import csv
import json
import random

import pandas as pd
import pytest
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.systems.rp_dro.cli import app

SHORT = ("--steps", "110", "--lr", "0.01", "--adversary-lr", "0.003", "--hidden", "16", "--quiet", "--device", "cpu")


def table(path, rows=300, **broken):
    rng = random.Random(0)
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "campaign", "town", "note", "region", "bought"])
        for _ in range(rows):
            y = rng.random() < 0.5
            campaign = int(y if rng.random() < 0.92 else not y)
            note = f"so , item {rng.randint(1, 5)}" if campaign else f"item {rng.randint(1, 5)}"
            town = rng.choice(["Ash", "Elm"])
            region, bought = "odd" if campaign != y else "even", "yes" if y else "no"
            writer.writerow([rng.gauss(40 + 3 * y, 5), campaign, town, note, region, bought])
    text = path.read_text()
    for old, new in broken.get("replace", {}).items():
        text = text.replace(old, new)
    path.write_text(text)
    return path


def run(*words):
    """Run a verb; an exception is raised here as the command line's main would see it."""
    found = CliRunner().invoke(app, [str(word) for word in words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found


def refused(message, *words):
    """The verb refuses, in one line that says so."""
    with pytest.raises(InputError) as error:
        run(*words)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fit")
    data = table(folder / "data.csv")
    out = ("-o", folder / "model", "--weights", folder / "w.csv", "--figure", folder / "w.png")
    found = run("fit", data, "--label", "bought", "--group", "region", *out, *SHORT)
    return folder, found


def test_fit_writes_model_weights_and_a_figure(fitted):
    folder, found = fitted
    data, weights = pd.read_csv(folder / "data.csv"), pd.read_csv(folder / "w.csv")
    assert list(weights) == ["row", "weight", "predicted", "bought", "region", "age", "campaign", "town", "note"]
    assert weights["weight"].is_monotonic_decreasing
    assert weights["weight"].mean() == pytest.approx(1, abs=1e-5)
    assert sorted(weights["row"]) == list(range(2, 302))
    for row in weights.head(20).itertuples():  # rows keep their own columns
        assert data.loc[row.row - 2, ["bought", "note"]].tolist() == [row.bought, row.note]
    odd = weights["region"] == "odd"
    assert weights["weight"][odd].mean() > 1.5 * weights["weight"][~odd].mean()
    learned = json.loads((folder / "model" / "config.json").read_text())["learned"]
    assert learned["columns_"] == {"$tuple": ["age", "campaign"]}
    assert (folder / "w.png").read_bytes()[:4] == b"\x89PNG"
    assert "region = odd" in found.output
    assert "Accuracy per group" in found.output
    assert "campaign = 1" in found.output
    assert "learned from: age, campaign; only looked through: town, note" in found.output
    assert "amounts" not in found.output
    assert "+1 = twice as much" in " ".join(found.output.split())


def test_the_group_changes_nothing_that_is_learned(fitted, tmp_path):
    folder, _ = fitted
    pd.read_csv(folder / "data.csv").drop(columns="region").to_csv(tmp_path / "d.csv", index=False)
    out = ("-o", tmp_path / "model", "--weights", tmp_path / "w.csv", "--figure", tmp_path / "w.svg")
    run("fit", tmp_path / "d.csv", "--label", "bought", *out, *SHORT)
    both = [pd.read_csv(f / "w.csv").sort_values("row")["weight"].tolist() for f in (folder, tmp_path)]
    assert both[0] == both[1]


def test_predict_measures_groups_and_needs_neither(fitted, tmp_path):
    folder, _ = fitted
    out = tmp_path / "p.csv"
    asked = ("--label", "bought", "--group", "region", "--out", out, "--device", "cpu")
    found = run("predict", folder / "model", folder / "data.csv", *asked)
    predicted = pd.read_csv(out)
    data = pd.read_csv(folder / "data.csv")
    assert predicted["row"].tolist() == list(range(2, 302))
    assert predicted["probability"].between(0.5, 1).all()
    odd = data["region"] == "odd"
    accuracy = (predicted["class"] == data["bought"])[odd].mean()
    line = next(line for line in found.output.splitlines() if line.startswith("odd"))
    assert line.split()[1] == str(odd.sum())
    assert float(line.split()[2]) == pytest.approx(accuracy, abs=1e-3)
    data[["campaign", "age"]].head(3).to_csv(tmp_path / "new.csv", index=False)
    run("predict", folder / "model", tmp_path / "new.csv", "--out", out)
    assert pd.read_csv(out)["class"].tolist() == predicted["class"][:3].tolist()


def test_text_with_validation_rows(tmp_path):
    data = table(tmp_path / "data.csv")
    out = ("-o", tmp_path / "m", "--weights", tmp_path / "w.parquet", "--figure", tmp_path / "w.png")
    text = ("--label", "bought", "--text", "note", "--validation", data, "--group", "region")
    found = run("fit", data, *text, *out, *SHORT)
    assert 'word "so"' in found.output
    assert f"Accuracy per group, {data}" in " ".join(found.output.split())
    run("predict", tmp_path / "m", data, "--out", tmp_path / "p.csv")
    assert len(pd.read_csv(tmp_path / "p.csv")) == 300


def test_an_idle_adversary_is_said(tmp_path):
    data = table(tmp_path / "data.csv", rows=60)
    out = ("-o", tmp_path / "m", "--weights", tmp_path / "w.csv", "--figure", tmp_path / "w.svg")
    found = run("fit", data, "--label", "bought", *out, *SHORT, "--tau", "1000")
    assert "inactive" in found.output


@pytest.mark.parametrize(
    ("broken", "words", "message"),
    [
        ({}, ("--label", "bougt"), "bought"),
        ({}, ("--label", "bought", "--group", "nowhere"), "nowhere"),
        ({}, ("--label", "bought", "--text", "nowhere"), "nowhere"),
        ({}, ("--label", "bought", "--tau", "0"), "--tau"),
        ({}, ("--label", "bought", "--batch", "1"), "--batch"),
        ({"rows": 0}, ("--label", "bought"), "at least one row"),
        ({"replace": {",yes": ",no"}}, ("--label", "bought"), "at least 2 different classes"),
        ({"replace": {",Ash,": ",,", "odd": ""}}, ("--label", "bought", "--group", "region"), "region"),
    ],
)
def test_broken_tables_are_refused_in_one_line(tmp_path, broken, words, message):
    data = table(tmp_path / "data.csv", **broken)
    refused(message, "fit", data, *words, "-o", tmp_path / "m", "--weights", tmp_path / "w.csv", "--quiet")
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "w.csv").exists()


def test_numbers_that_are_missing_and_tables_without_numbers(tmp_path):
    data = table(tmp_path / "data.csv", rows=30)
    asked = ("fit", data, "--label", "bought", "-o", tmp_path / "m")
    lines = data.read_text().splitlines()
    lines[3] = "," + lines[3].split(",", 1)[1]
    data.write_text("\n".join(lines) + "\n")
    rule = "must have a finite number in every row (fill it in, or take the row or column out of the file)"
    refused(f"column 'age': {rule}; received none in row 4", *asked)
    pd.read_csv(data)[["town", "bought"]].to_csv(data, index=False)
    refused("--text", *asked)


def test_predict_refuses(fitted, tmp_path):
    folder, _ = fitted
    model, data = folder / "model", folder / "data.csv"
    refused("--label", "predict", model, data, "--group", "region")
    pd.read_csv(data)[["age"]].to_csv(tmp_path / "d.csv", index=False)
    refused("campaign", "predict", model, tmp_path / "d.csv")
    refused("model", "predict", tmp_path, data)


def test_predict_says_what_labels_the_model_does_not_know(fitted, tmp_path):
    folder, _ = fitted
    data = pd.read_csv(folder / "data.csv")
    out = tmp_path / "p.csv"
    data.loc[:3, "bought"] = "maybe"
    data.to_csv(tmp_path / "some.csv", index=False)
    found = run("predict", folder / "model", tmp_path / "some.csv", "--label", "bought", "--out", out)
    assert "4 rows with a label that the model does not know, such as 'maybe': counted as wrong" in found.output
    out.unlink()
    data["bought"] = 1
    data.to_csv(tmp_path / "none.csv", index=False)
    asked = ("predict", folder / "model", tmp_path / "none.csv", "--label", "bought", "--out", out)
    refused("--label: must name a column with classes of the model (no, yes); received 1", *asked)
    assert not out.exists()


def test_a_label_of_amounts_is_said(tmp_path):
    data = table(tmp_path / "data.csv", rows=40)
    out = ("-o", tmp_path / "m", "--weights", tmp_path / "w.csv", "--figure", tmp_path / "w.svg")
    found = run("fit", data, "--label", "age", *out, "--steps", "3", "--quiet", "--device", "cpu")
    assert "age: 40 different values in 40 rows, each a class" in found.output
