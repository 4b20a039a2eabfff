"""The verbs on files: a table with metadata, one with a graph, numbers and classes, and broken ones."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from typer.testing import CliRunner

from holdfast.errors import InputError
from holdfast.experiment import Experiment
from holdfast.metrics.group_scores import GroupScores
from holdfast.systems.d3g.cli import app
from holdfast.systems.d3g.experiment import experiment
from holdfast.systems.d3g.tool.comparison import INFORMED, OURS, POOLED, advice

FAST = ["--steps", "8", "--quiet"]
META = ["--target", "y", "--domain", "site", "--meta", "lat,lon"]


def sites(count=12, per=10, seed=0):
    rng = np.random.default_rng(seed)
    place, site = rng.random((count, 2)), np.repeat(np.arange(count), per)
    a, b = rng.normal(size=(2, len(site)))
    table = pd.DataFrame(
        {"site": [f"s{k}" for k in site], "lat": place[site, 0], "lon": place[site, 1], "a": a, "b": b}
    )
    table["y"] = np.where(a * (place[site, 0] - 0.5) > 0, "yes", "no")
    return table


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    torch.set_num_threads(1)
    root = tmp_path_factory.mktemp("own data")
    table = sites()
    table.to_csv(root / "data.csv", index=False)
    table[:30].drop(columns="y").assign(site="elsewhere").to_csv(root / "new.csv", index=False)
    table.assign(y=table["a"] * 3.5).to_csv(root / "numbers.csv", index=False)
    table.drop(columns=["lat", "lon"]).to_csv(root / "plain.csv", index=False)
    edges = [(f"s{i}", f"s{i + 1}") for i in range(11)] + [("elsewhere", "s3")]
    pd.DataFrame(edges, columns=["one", "other"]).to_csv(root / "edges.csv", index=False)
    run("fit", root / "data.csv", *META, "-o", root / "model", *FAST)
    return root


def run(*arguments):
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_predict_says_class_nearest_and_distance(folder):
    said = run("predict", folder / "model", folder / "new.csv", "--out", folder / "out.csv").output
    found = pd.read_csv(folder / "out.csv")
    assert list(found) == ["row", "domain", "prediction", "probability", "head", "nearest", "distance"]
    assert set(found["prediction"]) <= {"yes", "no"}
    assert found["probability"].between(0.5, 1).all()
    assert found["nearest"].tolist() == ["s0"] * 10 + ["s1"] * 10 + ["s2"] * 10
    assert found["distance"].abs().max() < 1e-4
    assert set(found["head"]) == {"mixed"}
    assert "30 rows, 0 of them" in said


def test_known_domains_are_told_and_far_ones_doubted(folder):
    pd.read_csv(folder / "data.csv").drop(columns="y").to_csv(folder / "known.csv", index=False)
    run("predict", folder / "model", folder / "known.csv", "--out", folder / "out.csv")
    assert set(pd.read_csv(folder / "out.csv")["head"]) == {"own"}
    pd.read_csv(folder / "new.csv").assign(lat=99.0).drop(columns="site").to_csv(folder / "far.csv", index=False)
    said = run("predict", folder / "model", folder / "far.csv", "--out", folder / "out.csv").output
    assert "30 of 30 rows lie more than 3 times as far" in said
    assert "related to no training domain" in said


def test_numbers_and_parquet(folder):
    said = run("fit", folder / "numbers.csv", *META, "-o", folder / "m2", *FAST).output
    assert "predicted as numbers" in said
    run("predict", folder / "m2", folder / "new.csv", "--out", folder / "out.parquet")
    assert pd.read_parquet(folder / "out.parquet")["prediction"].dtype.kind == "f"


def test_a_graph(folder):
    options = ["--target", "y", "--domain", "site", "--graph", folder / "edges.csv"]
    run("fit", folder / "plain.csv", *options, "-o", folder / "m3", *FAST, "--figure", folder / "map.png")
    assert (folder / "map.png").stat().st_size > 1000
    run("predict", folder / "m3", folder / "new.csv", "--out", folder / "out.csv", "--figure", folder / "w.svg")
    assert set(pd.read_csv(folder / "out.csv")["nearest"]) == {"s3"}


@pytest.mark.parametrize("name", ["data.csv", "numbers.csv"])
def test_compare_scores_every_method_on_every_domain(folder, name):
    figure = folder / "c.png"
    said = run("compare", folder / name, *META, "--folds", 3, *FAST, "--json", "--figure", figure)
    found = json.loads(said.stdout)
    assert list(found["scores"]) == ["ERM", "ERM + metadata", "nearest domain", "heads only (lambda 0)", "D3G"]
    assert all(len(scores) == 12 for scores in found["scores"].values())
    assert found["advice"]
    assert figure.stat().st_size > 1000


def test_compare_shows_a_table(folder):
    options = ["--target", "y", "--domain", "site", "--graph", folder / "edges.csv"]
    said = run("compare", folder / "plain.csv", *options, "--folds", 2, "--steps", 5, "-q")
    assert "worst group" in said.stdout
    assert "of 12" in said.stdout


def scored(ours, informed, pooled, higher=True):
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(3, 20)) * 0.1
    values = (pooled + noise[0], informed + noise[1], ours + noise[2])
    return GroupScores(dict(zip((POOLED, INFORMED, OURS), values, strict=True)), ("x",) * 20, "", higher)


@pytest.mark.parametrize(
    ("scores", "wanted"),
    [
        ((90, 80, 70), "use it"),
        ((80, 90, 70), "metadata as inputs is better"),
        ((70, 70, 90), "without metadata is better"),
        ((90, 90, 70), "it is open"),
        ((90, 90, 90), "No difference"),
    ],
)
def test_advice(scores, wanted):
    assert wanted in advice(scored(*scores))
    assert wanted in advice(scored(*(-value for value in scores), higher=False))


# ------------------------------------------------------------------------------------------------------------ refusals
def broken(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "empty"),
        ("site,lat,lon,a,y\n", "at least one row"),
        ("site,lat,lon,a,y\ns,1,2,,yes\nt,1,3,1,no\n", "value in every row"),
        ("site,lat,lon,a,y\ns,1,2,red,yes\nt,1,3,1,no\n", "number"),
        ("site,lat,a,y\ns,1,2,yes\nt,1,3,no\n", "lon"),
        ("site,lat,lon,a,y\ns,1,2,1,yes\ns,1,3,1,no\n", "domain"),
        ("site,lat,lon,a,y\ns,1,2,1,yes\nt,1,3,1,yes\n", "different classes"),
    ],
)
def test_broken_tables_are_refused_and_nothing_is_written(folder, text, match):
    file = broken(folder, "broken.csv", text)
    with pytest.raises(InputError, match=match):
        run("fit", file, *META, "-o", folder / "never", *FAST)
    assert not (folder / "never").exists()


def test_metadata_or_a_graph_and_not_both(folder):
    base = ["fit", folder / "data.csv", "--target", "y", "--domain", "site", "-o", folder / "never"]
    with pytest.raises(InputError, match="--meta"):
        run(*base)
    with pytest.raises(InputError, match="--meta"):
        run(*base, "--meta", "lat", "--graph", folder / "edges.csv")
    with pytest.raises(InputError, match="two columns"):
        run(*base, "--graph", broken(folder, "one.csv", "a\nb\n"))
    with pytest.raises(InputError, match="weight"):
        run(*base, "--graph", broken(folder, "w.csv", "a,b,weight\ns0,s1,-1\n"))


def test_a_column_that_is_not_there_is_said_in_terms_of_options(folder):
    for verb in (["fit", "-o", folder / "never"], ["compare"]):
        with pytest.raises(InputError, match="z") as refused:
            run(*verb, folder / "data.csv", "--target", "z", "--domain", "site", "--meta", "lat,lon", *FAST)
        assert refused.value.argument == "--target, --domain, --meta"


def test_few_domains_are_not_compared(folder):
    sites(3).to_csv(folder / "few.csv", index=False)
    with pytest.raises(InputError, match="at least 4 domains"):
        run("compare", folder / "few.csv", *META, *FAST)


def test_a_table_without_the_metadata_is_refused(folder):
    with pytest.raises(InputError, match="lat"):
        run("predict", folder / "model", folder / "plain.csv", "--out", folder / "never.csv")
    assert not (folder / "never.csv").exists()


# ------------------------------------------------------------------------------------------------------------- own data
def test_own_table_as_a_problem(folder):
    columns = {"target": "y", "domain": "site", "meta": "lat, lon"}
    problem = experiment.own([folder / "data.csv"], columns)
    assert not isinstance(problem, Experiment)
    assert problem.sizes() == (8, 1, 3)
    assert problem.resplit == (3, 9)
    world = problem.world(np.random.default_rng(0))
    assert len(world.known) == 8
    assert world.train.x.mean(0).abs().max() < 1e-5
    assert world.metadata.shape == (12, 2)
    assert not set(world.test.domain.tolist()) & set(world.known.tolist())


@pytest.mark.parametrize(
    ("name", "columns", "match"),
    [
        ("data.csv", {"target": "y", "domain": "site"}, "meta=lat,lon"),
        ("numbers.csv", {"target": "y", "domain": "site", "meta": "lat"}, "must be classes"),
        ("data.csv", {"target": "y", "domain": "lat", "meta": "height"}, "height"),
    ],
)
def test_own_tables_that_do_not_fit(folder, name, columns, match):
    with pytest.raises(InputError, match=match):
        experiment.own([folder / name], columns)
    with pytest.raises(InputError, match="one table"):
        experiment.own([folder / name] * 2, columns)


def test_half_way_between_two_sites_is_not_unrelated(tmp_path):
    table = sites(2)
    table.assign(lat=table["site"].map({"s0": 2019, "s1": 2021})).to_csv(tmp_path / "data.csv", index=False)
    table.assign(site="new", lat=2020).to_csv(tmp_path / "new.csv", index=False)
    named = ["--target", "y", "--domain", "site", "--meta", "lat", "--features", "a,b"]
    run("fit", tmp_path / "data.csv", *named, "-o", tmp_path / "model", *FAST)
    said = run("predict", tmp_path / "model", tmp_path / "new.csv", "-o", tmp_path / "out.csv").output
    assert "related to no" not in said
    assert set(pd.read_csv(tmp_path / "out.csv")["distance"]) == {0.5}


def test_predict_names_the_columns_that_are_missing(folder, tmp_path):
    pd.read_csv(folder / "new.csv").drop(columns=["lat", "b"]).to_csv(tmp_path / "new.csv", index=False)
    with pytest.raises(InputError, match="that the model was trained with; 'lat', 'b' not found"):
        run("predict", folder / "model", tmp_path / "new.csv", "-o", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_whole_numbers_as_classes_are_said_and_can_be_numbers(tmp_path):
    table = sites(4)
    table.assign(y=np.arange(len(table)) % 5).to_csv(tmp_path / "data.csv", index=False)
    assert "--task numbers" in run("fit", tmp_path / "data.csv", *META, "-o", tmp_path / "model", *FAST).output
    compared = ["compare", tmp_path / "data.csv", *META, "--folds", 2, *FAST]
    assert "accuracy" in run(*compared).output
    assert "root mean squared error of y" in run(*compared, "--task", "numbers").output
    sites(4).to_csv(tmp_path / "texts.csv", index=False)
    with pytest.raises(InputError, match="task: must be classes where the target holds no numbers"):
        run("compare", tmp_path / "texts.csv", *META, *FAST, "--task", "numbers")


def test_a_negative_weight_is_found(folder, tmp_path):
    (tmp_path / "edges.csv").write_text("one,other,weight\ns0,s1,1\ns1,s2,-2\n", encoding="utf-8")
    named = ["--target", "y", "--domain", "site", "--graph", tmp_path / "edges.csv"]
    with pytest.raises(InputError, match="at least 0; received -2 in row 3"):
        run("fit", folder / "plain.csv", *named, "-o", tmp_path / "model", *FAST)
