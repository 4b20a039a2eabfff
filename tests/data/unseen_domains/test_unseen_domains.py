"""Worlds and loaders: what is drawn, what is read, and what is refused."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from holdfast.data.unseen_domains.problems import (
    GraphOfDomains,
    RotatedDigits,
    Spiral,
    Temperatures,
    load_spiral,
    rotate,
)
from holdfast.data.unseen_domains.published import (
    STATES,
    ChemblString,
    Fmow,
    Tpt48,
    hashed_pieces,
    read_links,
    read_nclimdiv,
    state_graph,
)
from holdfast.errors import InputError

WORLDS = [RotatedDigits(), RotatedDigits(few=3), GraphOfDomains(), Temperatures()]


def world(problem, seed=0):
    return problem.world(np.random.default_rng(seed))


@pytest.mark.parametrize("problem", WORLDS, ids=lambda p: p.describe()[:20])
def test_domains_do_not_meet_and_worlds_are_drawn(problem):
    w = world(problem)
    domains = [set(part.domain.tolist()) for part in (w.train, w.validation, w.test)]
    assert domains[0] == set(w.known.tolist())
    assert sum(map(len, domains)) == len(set.union(*domains))
    assert torch.equal(world(problem).train.x, w.train.x)
    assert not torch.equal(world(problem, 1).train.x, w.train.x)
    assert (w.metadata is None) != (w.adjacency is None)


def test_rotations_are_those_of_numpy():
    image = torch.rand(2, 1, 6, 6)
    assert np.allclose(rotate(image, 90).numpy(), np.rot90(image.numpy(), 1, (2, 3)), atol=1e-5)
    assert np.allclose(rotate(image, -180).numpy(), np.rot90(image.numpy(), 2, (2, 3)), atol=1e-5)


def test_rotated_digits_have_a_fixed_test_and_few_where_said():
    one, other = world(RotatedDigits(few=3)), world(RotatedDigits(few=3), 1)
    assert torch.equal(one.test.x, other.test.x)
    assert torch.equal(one.validation.x, other.validation.x)
    counts = torch.bincount(one.train.domain)[one.known]
    assert counts.tolist() == [80, 6] * 6
    assert len(one.cases) * 12 == len(one.test)
    views = one.test.y.view(12, -1)
    assert bool((views == views[0]).all())  # the same images at every angle
    degrees = torch.rad2deg(torch.atan2(one.metadata[:24, 1], one.metadata[:24, 0])) % 360
    assert degrees.round().tolist() == [15.0 * i for i in range(24)]


def test_directions_on_the_graph_change_smoothly_and_are_the_labels():
    problem, rng = GraphOfDomains(), np.random.default_rng(0)
    places = rng.random((200, 2))
    angles = problem.angles(places, rng)
    distance = np.linalg.norm(places[:, None] - places[None], axis=-1)
    turned = np.abs(angles[:, None] - angles[None])
    assert (turned <= (1.5 * np.pi + 2 * np.pi) * distance + 1e-9).all()  # the slopes of both terms
    w = world(problem)
    for d in w.known.tolist()[:5]:
        rows = w.train.domain == d
        x, y = w.train.x[rows, :2].double(), w.train.y[rows]
        angles = torch.linspace(0, 2 * math.pi, 721, dtype=torch.float64)
        sides = x @ torch.stack([angles.cos(), angles.sin()]) > 0
        assert float((sides == y[:, None].bool()).double().mean(0).max()) > 0.97  # some direction explains all


# -------------------------------------------------------------------------------------------------------------- spiral
def spiral_file(folder: Path, **other) -> Path:
    rng = np.random.default_rng(0)
    domain = np.repeat(np.arange(15), 10)
    arrays = {
        "data": rng.normal(size=(150, 2)),
        "label": np.arange(150) % 2 * 1.0,
        "domain": domain * 1.0,
        "A": np.zeros((15, 15)),
        "angle": np.linspace(0, np.pi, 15),
    }
    np.savez(folder / "dg15.npz", **{**arrays, **other})
    return folder / "dg15.npz"


def test_spiral_world_of_a_small_file(tmp_path):
    w = world(Spiral(str(spiral_file(tmp_path))))
    assert len(w.train) + len(w.validation) == 60
    assert len(w.test) == 90
    assert w.known.tolist() == [0, 3, 4, 8, 12, 14]
    everything = torch.cat([w.train.x, w.validation.x])
    assert everything.std(0).tolist() == pytest.approx([1, 1], rel=1e-5)


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"A": np.zeros((3, 3))}, "A.*shape"),
        ({"domain": np.full(150, 15.0)}, "domain.*in"),
        ({"angle": np.full(15, np.nan)}, "finite"),
    ],
)
def test_broken_spirals_are_refused(tmp_path, other, match):
    with pytest.raises(InputError, match=match):
        load_spiral(spiral_file(tmp_path, **other))


def test_a_spiral_without_an_array_is_refused(tmp_path):
    np.savez(tmp_path / "x.npz", data=np.zeros((2, 2)))
    with pytest.raises(InputError, match="label"):
        load_spiral(tmp_path / "x.npz")


DATA = Path(os.environ.get("HOLDFAST_DATA", "no such folder")) / "d3g"


@pytest.mark.parametrize(("name", "domains", "slope", "within"), [("dg15", 15, 1.8, 0.10), ("dg60", 60, 3.0, 0.19)])
@pytest.mark.skipif(not DATA.is_dir(), reason="needs d3g under HOLDFAST_DATA")
def test_class_0_lies_where_the_generator_puts_it(name, domains, slope, within):
    data = load_spiral(DATA / f"{name}.npz")
    assert data["label"].mean() == 0.5
    for d in range(domains):
        a = float(data["angle"][d])
        mean = data["data"][(data["domain"] == d) & (data["label"] == 0)].mean(0)
        radius = 1 + slope * a / math.pi
        wanted = torch.tensor([radius * math.cos(a), radius * math.sin(a)], dtype=torch.float64)
        assert float((mean - wanted).abs().max()) < within


# ----------------------------------------------------------------------------------------------------------- published
def climate_lines(first=2008, last=2019, states=48):
    return [
        f"{s:03}002{year}" + "".join(f"{40 + s / 10 + month:8.2f}" for month in range(12))
        for s in range(1, states + 1)
        for year in range(first, last + 1)
    ]


def test_tpt48_is_read_from_noaa_lines(tmp_path):
    file = tmp_path / "climdiv.txt"
    file.write_text("\n".join([*climate_lines(2007, 2020), f"0500022015{'  1.00' * 12}", ""]))
    read = read_nclimdiv(file, 2008, 2019)
    assert read.shape == (48, 12, 12)
    assert read[5, 3, 2].item() == pytest.approx(40 + 0.6 + 2)
    w = world(Tpt48(str(file)))
    assert len(w.known) == 24
    assert w.test.x.shape == (24 * 12, 6)
    assert w.test.y.shape == (24 * 12, 6)
    assert w.num_classes == 0
    names = list(STATES)
    assert {names[i] for i in w.known.tolist()} >= {"WA", "ME", "MN"}
    assert {names[i] for i in w.test.domain.unique().tolist()} >= {"TX", "FL", "CA"}


@pytest.mark.parametrize(
    ("lines", "match"),
    [
        (climate_lines(states=47), "every month.*WY"),
        (["hello"], "line 1"),
        ([f"0010012008{'  1.00' * 12}"], "element 02"),
        ([], "every month"),
    ],
)
def test_broken_climate_files_are_refused(tmp_path, lines, match):
    file = tmp_path / "climdiv.txt"
    file.write_text("\n".join(lines))
    with pytest.raises(InputError, match=match):
        read_nclimdiv(file, 2008, 2019)


def test_states_border_on_each_other_both_ways():
    graph = state_graph()
    names = list(STATES)
    assert len(names) == 48
    assert sorted(names) != names  # NOAA's order is that of full names
    assert torch.equal(graph, graph.T)
    assert float(graph.diagonal().sum()) == 0
    degree = dict(zip(names, graph.sum(1).int().tolist(), strict=True))
    assert (degree["ME"], degree["TN"], degree["MO"], degree["FL"]) == (1, 8, 8, 2)


def fmow(folder: Path) -> Path:
    (folder / "images").mkdir()
    rows = ["split,img_filename,category,country_code,timestamp"]
    kinds = [
        ("train", "FRA", 2002),
        ("train", "KEN", 2003),
        ("val", "FRA", 2013),
        ("test", "KEN", 2016),
        ("seq", "FRA", 2004),
    ]
    for i in range(20):
        split, country, year = kinds[i % 5]
        rows.append(f"{split},a_{i}.jpg,{('airport', 'dam')[i // 5 % 2]},{country},{year}-05-01T10:00:00Z")
        Image.fromarray(np.full((9, 9, 3), i * 10, "uint8")).save(folder / "images" / f"rgb_img_{i}.png")
    (folder / "rgb_metadata.csv").write_text("\n".join(rows))
    (folder / "country_code_mapping.csv").write_text("name,alpha-3,region\nFrance,FRA,Europe\nKenya,KEN,Africa\n")
    return folder


def test_fmow_is_read_from_its_release(tmp_path):
    w = world(Fmow(str(fmow(tmp_path)), size=4))
    assert w.train.x.shape == (8, 3, 4, 4)
    assert w.train.x.dtype == torch.uint8
    assert w.train.x[1, 0, 0, 0].item() == 10
    assert len(w.known) == 2
    assert w.num_classes == 2
    assert w.test.y.tolist() == [0, 1, 0, 1]
    year = w.metadata[:, -1]
    assert float(year[w.test.domain[0]]) == pytest.approx(1.4)  # 2016 is 14 years after 2002
    assert w.metadata[:, :-1].sum(1).tolist() == [1] * len(w.metadata)


def test_fmow_without_a_split_is_refused(tmp_path):
    folder = fmow(tmp_path)
    file = folder / "rgb_metadata.csv"
    file.write_text(file.read_text().replace("test,", "seq,"))
    with pytest.raises(InputError, match="'test'"):
        world(Fmow(str(folder), size=4))
    with pytest.raises(InputError):
        world(Fmow(str(tmp_path / "nothing")))


def chembl(folder: Path) -> ChemblString:
    rows = ["smiles,protein,label"] + [f"CC{'O' * (i % 4)}N,9606.P{i % 10},{i % 2}" for i in range(40)]
    (folder / "a.csv").write_text("\n".join(rows))
    (folder / "links.txt").write_text("protein1 protein2 combined_score\n9606.P0 9606.P3 900\n9606.P3 9606.X 400\n")
    return ChemblString(str(folder / "a.csv"), str(folder / "links.txt"), bits=64)


def test_chembl_string_is_read(tmp_path):
    w = world(chembl(tmp_path))
    assert len(w.known) == 7
    assert w.adjacency[0, 3].item() == w.adjacency[3, 0].item() == pytest.approx(0.9)
    assert float(w.adjacency.sum()) == pytest.approx(1.8)
    assert w.train.x.shape[1] == 64
    assert hashed_pieces("CCO", 64).exp().sub(1).sum().item() == pytest.approx(3 + 2 + 1, rel=1e-5)


@pytest.mark.parametrize(("text", "match"), [("", "begin"), ("protein1 protein2 combined_score\na b\n", "line 2")])
def test_broken_links_are_refused(tmp_path, text, match):
    (tmp_path / "links.txt").write_text(text)
    with pytest.raises(InputError, match=match):
        read_links(tmp_path / "links.txt", ["a", "b"])
