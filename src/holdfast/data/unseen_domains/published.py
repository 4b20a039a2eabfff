"""The paper's data sets in the formats that they are published in. None of them ships with the package.

- TPT-48 (from GRDA) was made of NOAA's nClimDiv statewide temperatures, which are read here from NOAA's own file:
  GRDA's archive holds Python pickles, which are not opened.
- FMoW-WILDS: `rgb_metadata.csv`, `country_code_mapping.csv` and `images/rgb_img_<row>.png` of release 1.1.
- ChEMBL-STRING: a table of smiles, protein and label, and STRING's links with `protein1 protein2 combined_score`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.readers.records import read_records
from holdfast.data.readers.roles import Role
from holdfast.data.unseen_domains.worlds import DomainsProblem, Part, World
from holdfast.errors import InputError

# The 48 contiguous states in the order of NOAA's codes, each with its neighbours.
BORDERS = """
AL:FL GA MS TN|AZ:CA NM NV UT|AR:LA MO MS OK TN TX|CA:AZ NV OR|CO:KS NE NM OK UT WY|CT:MA NY RI|DE:MD NJ PA|FL:AL GA|
GA:AL FL NC SC TN|ID:MT NV OR UT WA WY|IL:IA IN KY MO WI|IN:IL KY MI OH|IA:IL MN MO NE SD WI|KS:CO MO NE OK|
KY:IL IN MO OH TN VA WV|LA:AR MS TX|ME:NH|MD:DE PA VA WV|MA:CT NH NY RI VT|MI:IN OH WI|MN:IA ND SD WI|MS:AL AR LA TN|
MO:AR IA IL KS KY NE OK TN|MT:ID ND SD WY|NE:CO IA KS MO SD WY|NV:AZ CA ID OR UT|NH:MA ME VT|NJ:DE NY PA|
NM:AZ CO OK TX|NY:CT MA NJ PA VT|NC:GA SC TN VA|ND:MN MT SD|OH:IN KY MI PA WV|OK:AR CO KS MO NM TX|OR:CA ID NV WA|
PA:DE MD NJ NY OH WV|RI:CT MA|SC:GA NC|SD:IA MN MT ND NE WY|TN:AL AR GA KY MO MS NC VA|TX:AR LA NM OK|
UT:AZ CO ID NV WY|VT:MA NH NY|VA:KY MD NC TN WV|WA:ID OR|WV:KY MD OH PA VA|WI:IA IL MI MN|WY:CO ID MT NE SD UT
"""
STATES = {name.split(":")[0]: tuple(name.split(":")[1].split()) for name in BORDERS.replace("\n", "").split("|")}
# Those whose middle lies north of the others', 24 of 48: the sources of the split "north to south".
NORTH = """
CT IA ID IL IN MA ME MI MN MT ND NE NH NJ NY OH OR PA RI SD VT WA WI WY
"""
AVERAGE_TEMPERATURE = "02"  # NOAA's code of the element


def state_graph() -> Tensor:
    """(48, 48) float32: which states border on each other."""
    names = list(STATES)
    return torch.tensor([[float(other in STATES[name]) for other in names] for name in names])


def read_nclimdiv(path: Path, first: int, last: int) -> Tensor:
    """Monthly mean temperatures of the 48 states, (48, years, 12) float32, degrees Fahrenheit.

    A line of `climdiv-tmpcst-*` holds a code of 10 digits (state 3, division 1, element 2, year 4) and 12 numbers.

    Raises:
        InputError: a line of another form, another element, a state's year or month that is missing.
    """
    found = torch.full((len(STATES), last - first + 1, 12), torch.nan)
    for number, line in enumerate(path.read_text(encoding="ascii", errors="replace").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 13 or len(words[0]) != 10 or not words[0].isdigit():
            raise InputError(f"{path}, line {number}", "must hold a code of 10 digits and 12 numbers", repr(line[:60]))
        code = words[0]
        if code[4:6] != AVERAGE_TEMPERATURE:
            raise InputError(f"{path}, line {number}", "must be of element 02, average temperature", code[4:6])
        state, year = int(code[:3]), int(code[6:])
        if 1 <= state <= len(STATES) and first <= year <= last:
            found[state - 1, year - first] = torch.tensor([float(word) for word in words[1:]])
    if bool((found.isnan() | (found < -90)).any()):
        state, year, _ = map(int, torch.nonzero(found.isnan() | (found < -90))[0])
        raise InputError(
            str(path), f"must have every month of {first}-{last}", f"{list(STATES)[state]} lacks {first + year}"
        )
    return found


@dataclass(frozen=True)
class Tpt48(FileProblem, DomainsProblem):
    """The second half of a year's temperatures from the first, 24 northern states to train, 24 southern to test."""

    file: str = "d3g/climdiv-tmpcst.txt"
    first: int = 2008
    last: int = 2019

    how_to_get: ClassVar[str] = "climdiv-tmpcst-v1.0.0-* from www.ncei.noaa.gov/pub/data/cirs/climdiv (public domain)"
    fixed_test: ClassVar[bool] = True

    @property
    def paths(self) -> tuple[Path, ...]:
        return (data_folder(self.file),)

    def describe(self) -> str:
        return f"temperatures of 48 states, {self.first}-{self.last}, from north to south"

    def world(self, rng: np.random.Generator) -> World:
        series = read_nclimdiv(self.found()[0], self.first, self.last)
        names = list(STATES)
        north = torch.tensor([i for i, name in enumerate(names) if name in NORTH.split()])
        south = torch.tensor([i for i, name in enumerate(names) if name not in NORTH.split()])
        series = (series - series[north].mean()) / series[north].std()
        years = series.shape[1]
        domain = torch.arange(len(names))[:, None].expand(-1, years)
        held = max(1, years // 4)  # the last years of the training states

        def part(states: Tensor, chosen: slice) -> Part:
            rows = series[states][:, chosen]
            return Part(rows[..., :6].flatten(0, 1), rows[..., 6:].flatten(0, 1), domain[states][:, chosen].flatten())

        parts = part(north, slice(0, years - held)), part(north, slice(years - held, None)), part(south, slice(None))
        return World(parts[0], parts[1], parts[2], north, None, state_graph(), 0)


@dataclass(frozen=True)
class Fmow(FileProblem, DomainsProblem):
    """What a place on a satellite image is used for; a domain is a region of the world in a year.

    Attributes:
        folder: of the release.
        size: side that images are brought to.
    """

    folder: str = "fmow_v1.1"
    size: int = 64

    how_to_get: ClassVar[str] = "FMoW-WILDS 1.1 from wilds.stanford.edu, unpacked as HOLDFAST_DATA/fmow_v1.1"
    fixed_test: ClassVar[bool] = True

    @property
    def paths(self) -> tuple[Path, ...]:
        root = data_folder(self.folder)
        return root / "rgb_metadata.csv", root / "country_code_mapping.csv", root / "images"

    def describe(self) -> str:
        return "FMoW-WILDS: land use on satellite images, domains are regions in years, later years to test"

    def world(self, rng: np.random.Generator) -> World:
        table, codes, images = self.found()
        roles = [Role(name) for name in ("split", "category", "country_code", "timestamp")]
        rows = read_records(table, roles)
        mapping = read_records(codes, (Role("alpha-3"), Role("region", missing=True)))
        regions = {code: region or "Other" for code, region in zip(mapping["alpha-3"], mapping["region"], strict=True)}
        region = np.array([regions.get(code, "Other") for code in rows["country_code"]])
        year = np.array([int(stamp[:4]) for stamp in rows["timestamp"]])
        _, y = np.unique(rows["category"].astype(str), return_inverse=True)
        names, domain = np.unique(np.char.add(np.char.add(region, " "), year.astype(str)), return_inverse=True)
        split = rows["split"].astype(str)
        known = np.unique(domain[split == "train"])
        parts = []
        for wanted in ("train", "val", "test"):
            chosen = np.flatnonzero((split == wanted) & (np.isin(domain, known) == (wanted == "train")))
            if not len(chosen):
                raise InputError(
                    f"{table}, column 'split'", f"must have rows of {wanted!r} in domains of their own", "none"
                )
            x = torch.stack([_image(images / f"rgb_img_{row}.png", self.size) for row in chosen])
            parts.append(Part(x, torch.from_numpy(y[chosen]), torch.from_numpy(domain[chosen])))
        return World(
            parts[0], parts[1], parts[2], torch.from_numpy(known), _region_and_year(names), None, int(y.max()) + 1
        )


def _region_and_year(names: np.ndarray) -> Tensor:
    """(D, regions + 1): one-hot of the region, and the year in units of ten."""
    region = np.array([name.rsplit(" ", 1)[0] for name in names])
    year = np.array([int(name.rsplit(" ", 1)[1]) for name in names])
    kinds = np.unique(region)
    return torch.from_numpy(np.column_stack([region[:, None] == kinds, (year - year.min()) / 10])).float()


def _image(path: Path, size: int) -> Tensor:
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").resize((size, size), Image.Resampling.BOX)
    return torch.from_numpy(np.asarray(small).copy()).permute(2, 0, 1)


@dataclass(frozen=True)
class ChemblString(FileProblem, DomainsProblem):
    """Whether a molecule binds to a protein: a domain is a protein, related to others by STRING's scores.

    Molecules are counts of pieces of their SMILES, hashed: no chemistry package is needed, nor as good as one.

    Attributes:
        table: with columns smiles, protein and label (0 or 1).
        links: of STRING, with protein1, protein2 and combined_score (0 to 1000).
        bits: length of the hashed counts.
    """

    table: str = "chembl_string/activities.csv"
    links: str = "chembl_string/protein.links.txt"
    bits: int = 1024

    how_to_get: ClassVar[str] = (
        "activities of ChEMBL as csv (smiles, protein, label); 9606.protein.links of string-db.org"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return data_folder(self.table), data_folder(self.links)

    def describe(self) -> str:
        return "ChEMBL-STRING: molecules that bind to proteins; proteins never seen, related by STRING's scores"

    def world(self, rng: np.random.Generator) -> World:
        table, links = self.found()
        rows = read_records(table, (Role("smiles"), Role("protein"), Role("label", kind="number")))
        names, domain = np.unique(rows["protein"].astype(str), return_inverse=True)
        order = rng.permutation(len(names))
        first, second = round(0.7 * len(names)), round(0.8 * len(names))
        groups = np.sort(order[:first]), order[first:second], order[second:]
        if not all(map(len, groups)):
            raise InputError(f"{table}, column 'protein'", "must name at least 5 proteins", len(names))
        x = torch.stack([hashed_pieces(smiles, self.bits) for smiles in rows["smiles"]])
        y = torch.from_numpy(rows["label"].astype(np.int64))
        parts = []
        for group in groups:
            chosen = torch.from_numpy(np.flatnonzero(np.isin(domain, group)))
            parts.append(Part(x[chosen], y[chosen], torch.from_numpy(domain)[chosen]))
        return World(
            parts[0], parts[1], parts[2], torch.from_numpy(groups[0]), None, read_links(links, names.tolist()), 2
        )


def hashed_pieces(smiles: str, bits: int) -> Tensor:
    """log(1 + count) of the pieces of 1 to 4 characters of a text, hashed to `bits` places."""
    counts = torch.zeros(bits)
    for length in range(1, 5):
        for start in range(len(smiles) - length + 1):
            digest = hashlib.blake2b(smiles[start : start + length].encode(), digest_size=8).digest()
            counts[int.from_bytes(digest, "little") % bits] += 1
    return counts.log1p()


def read_links(path: Path, names: list[str]) -> Tensor:
    """(D, D) float32 scores in [0, 1] between the named proteins, from STRING's table with spaces between columns.

    Raises:
        InputError: other columns; a line of another form.
    """
    place = {name: i for i, name in enumerate(names)}
    scores = torch.zeros(len(names), len(names))
    with path.open(encoding="utf-8") as lines:
        head = next(lines, "").split()
        if head[:2] != ["protein1", "protein2"] or "combined_score" not in head:
            raise InputError(
                str(path), "must begin with protein1 protein2 ... combined_score", " ".join(head) or "nothing"
            )
        column = head.index("combined_score")
        for number, line in enumerate(lines, 2):
            words = line.split()
            if len(words) != len(head) or not words[column].isdigit():
                raise InputError(
                    f"{path}, line {number}", f"must have {len(head)} columns and a whole score", repr(line[:60])
                )
            if words[0] in place and words[1] in place:
                i, j = place[words[0]], place[words[1]]
                scores[i, j] = scores[j, i] = int(words[column]) / 1000
    return scores


__all__ = ["ChemblString", "Fmow", "Tpt48", "hashed_pieces", "read_links", "read_nclimdiv", "state_graph"]
