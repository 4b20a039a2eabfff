"""Markup, template code and terminal escapes in any text of data, cards, plugins and exceptions stay text."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from rich.console import Console

from fuzz.calling import call
from holdfast import catalogue, ledger
from holdfast.canonical import sealed
from holdfast.catalogue import Card, Catalogue, Languages, PublishedClaim, Reference, System, Texts, TranslatedTexts
from holdfast.decision import Verdict
from holdfast.errors import HoldfastError, InputError
from holdfast.experiment import Arm, Experiment, Metric, Record, RecordTable, Scale, Tuning
from holdfast.experiment.claims import Better
from holdfast.report import comparison_page, digest, overview
from holdfast.report.comparison import compare
from holdfast.report.page import render
from holdfast.report.tables import print_results, to_json
from holdfast.trials.display import Plain
from holdfast.trials.results import Results
from report.conftest import ARMS, CARD, PROBLEMS, make_results, make_verdict, realistic_verdicts
from security.poison import PAYLOAD, Poison, assert_no_controls, assert_same_shape, texts_of

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
DECLARED = (Arm, Metric, Scale, Tuning, Record, Verdict, Results)


def rich_results(folder: Path) -> Results:
    """A run in which every kind of text occurs."""
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts" / "a.png").write_bytes(PNG)
    (folder / "artifacts" / "a.txt").write_text(f"text {PAYLOAD.encode(errors='replace').decode()}")
    results = make_results(folder, replicates=2, arms=ARMS[:5], points={"width": (1, 2)})
    files = [("a.png", "image"), ("a.txt", "text"), ("a.txt", "file"), ("../x", "text")]
    artifacts = [{"name": "n", "file": f"artifacts/{f}", "kind": k, "caption": "said of it"} for f, k in files]
    first = dataclasses.replace(
        results.records[0], artifacts=artifacts, per_unit={"accuracy": {"values": [1.0], "units": ["case"]}},
        cost={**results.records[0].cost, "tokens": 3.0}, point={"width": 1, "how": "a word"},
    )  # fmt: skip
    part = make_verdict(text="a part", reason="some reason")
    because = ({"kind": "told", "text": "because"}, {"kind": "remark", "text": "by the way"})
    verdicts = [dataclasses.replace(v, parts=(part,), notes=because) for v in realistic_verdicts()]
    experiment = dataclasses.replace(
        results.experiment,
        scales={"small": Scale(status="not yet run", arms=("AdaBN",), problems=PROBLEMS[:1], points={"width": (1,)})},
        claims=[Better("AdaMatch", than="AdaBN", metric="accuracy", on="mnist->digits", text="said", scope="here")],
        benefit="accuracy",
        tuning=Tuning("accuracy", PROBLEMS[0], scale="small"),
        arms={
            name: dataclasses.replace(
                arm, tuned_as="AdaBN" if name == "DANN" else None, problems=PROBLEMS, points={"width": (1, 2)}
            )
            for name, arm in results.experiment.arms.items()
        },
        metrics={name: dataclasses.replace(m, unit=m.unit or "u", about="about it") for name, m in
                 results.experiment.metrics.items()},
    )  # fmt: skip
    return dataclasses.replace(
        results, records=[first, *results.records[1:]], verdicts=verdicts, experiment=experiment,
        declaration={"question": "which?", "arms": {"AdaBN": {"type": "Method"}}},
    )  # fmt: skip


def poisoned(results: Results) -> tuple[Results, Poison]:
    poison = Poison()
    keep = {"folder": results.folder}
    with mock.patch.object(Experiment, "__post_init__", return_value=None):
        experiment = poison(results.experiment)
    slim = dataclasses.replace(results, folder=Path(), experiment=None)  # type: ignore[arg-type]
    new = poison(slim)
    return dataclasses.replace(new, **{**keep, "experiment": experiment}), poison


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Results, Results, Poison]:
    clean = rich_results(tmp_path_factory.mktemp("run"))
    return (clean, *poisoned(clean))


def test_the_poison_reaches_every_text_that_is_declared(both: tuple[Results, Results, Poison]) -> None:
    reached = both[2].reached
    missing = {pair for kind in DECLARED for pair in texts_of(kind)} - reached
    assert missing == set()


@pytest.fixture(scope="module")
def pages(both: tuple[Results, Results, Poison]) -> tuple[str, str]:
    """The page of the run, clean and poisoned."""
    clean, bad, poison = both
    card = SimpleNamespace(**{name: poison(value) for name, value in vars(CARD).items()})
    return render(clean, card=CARD), render(bad, card=card)


def test_the_page_stays_what_it_is(both: tuple[Results, Results, Poison], pages: tuple[str, str], attack: Any) -> None:
    counted = attack(
        "Markup in every text of a run's page",
        "elements, closing tags, attributes, comments, CDATA, template code, links, terminal escapes in every text of"
        " experiment, arms, problems, metrics, claims, verdicts, records, artifacts, errors, card and plan",
        "shown as text: no new element or attribute",
    )
    assert_same_shape(*pages)
    assert "{{7*7}}" in pages[1]
    counted.again(len(both[2].reached))


def test_the_comparison_stays_what_it_is(both: tuple[Results, Results, Poison], attack: Any) -> None:
    clean, bad, poison = both
    counted = attack("Markup in every text of a comparison", "the same, in two runs and their names", "shown as text")
    names = ("one", "other")
    before = comparison_page.render(compare([(name, clean) for name in names]))
    after = comparison_page.render(compare([(poison(name), bad) for name in names]))
    assert_same_shape(before, after, may_vary=frozenset({"a"}))
    counted.again(len(poison.reached))


def test_figures_stay_pictures(pages: tuple[str, str], attack: Any) -> None:
    counted = attack(
        "Markup in figures", "the same, in labels, legends, tooltips and alt texts of the SVGs", "drawn as text"
    )
    clean, bad = (re.findall(r"<svg .*?</svg>", page, re.DOTALL) for page in pages)
    assert len(clean) == len(bad) > 5
    allowed = {element.tag for svg in clean for element in ET.fromstring(svg).iter()}
    for svg in bad:
        root = ET.fromstring(svg)
        assert {element.tag for element in root.iter()} <= allowed
        assert not [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]
        assert_no_controls(svg)
        counted.again()


def test_the_terminal_shows_text(both: tuple[Results, Results, Poison], attack: Any) -> None:
    counted = attack(
        "Escapes and markup on the terminal",
        "colours, links (OSC 8), cursor movements, rich's markup in names, units, verdicts, errors, cards and plugins",
        "printed as text; the JSON stays JSON",
    )
    _, bad, poison = both
    out = io.StringIO()
    print_results(bad, Console(file=out, width=100, force_terminal=False), page=Path(PAYLOAD.replace("\x00", "")))
    plain = Console(file=out, width=100)
    display = Plain(plain)
    display.begin("label", 1)
    task: Any = SimpleNamespace(
        trial=SimpleNamespace(arm=PAYLOAD, problem=PAYLOAD, point={PAYLOAD: PAYLOAD}, replicate=0)
    )
    display.finished(task, dataclasses.replace(bad.records[0], status="failed", error=PAYLOAD))
    assert "alert(7)" in out.getvalue()
    assert "[bold]b[/bold]" in out.getvalue()
    assert_no_controls(out.getvalue())
    assert_no_controls(to_json(bad))
    assert json.loads(to_json(bad))["pilot"] is False
    counted.again(len(poison.reached))


# --------------------------------------------------------------------------------------------------- cards and ledgers
def a_card(poison: Any, **fields: Any) -> Card:
    """A card that is valid, with every text run through `poison`."""
    texts = {
        "title": poison("title"), "sentence": poison("sentence"), "points": (poison("point"),),
        "use_when": poison("use"), "avoid_when": poison("avoid"),
    }  # fmt: skip
    base: dict[str, Any] = {
        "id": "kelp",
        "title": poison("title"),
        "authors": (poison("author"),),
        "venue": poison("venue"),
        "year": 2020,
        "areas": ("LG",),
        "task": poison("task"),
        "patent": poison("patent"),
        "texts": Languages(en=Texts(**texts), zh=TranslatedTexts(task=poison("任务"), **texts)),
        "claims": (
            PublishedClaim(
                claim=poison("claim"), number=poison("number"), setting=poison("setting"), source=poison("source")
            ),
        ),
        "reference": Reference(url="https://example.org/x", licence=poison("licence"), note=poison("note")),
    }
    return Card(**{**base, **fields})


def short(text: str) -> str:
    """The payload in pieces that fit into a title."""
    return f'{text}"><script>alert(7)</script><img src=x onerror=alert(7)>{{{{7*7}}}}[/]\x1b[31m\x9b[x](javascript:x)'


def a_plugin(folder: Path, poison: Any, **fields: Any) -> System:
    """A plugin with a card and a ledger; it cannot be imported."""
    package = folder / "kelp"
    (package / "ledger").mkdir(parents=True, exist_ok=True)
    texts = ("text", "unit", "asks", "margin", "reason", "published", "source", "scope")
    words = {name: poison(name) for name in texts}
    verdicts = [make_verdict(**words, role=role).to_json() for role in ("headline", "secondary")]
    content = {
        "scale": "small", "versions": {}, "code": "0", "plan": "0", "plan_number": 1, "started": poison("now"),
        "commit": poison("commit"), "machine": poison("machine"), "records": [], "verdicts": verdicts,
    }  # fmt: skip
    (package / "ledger" / "small.json").write_text(json.dumps(sealed(content)))
    return System(a_card(poison, **fields), "kelp", package, f"plugin {poison('ocean')}")


def test_the_digest_stays_what_it_is(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Markup in cards and ledgers on the digest",
        "the same, in every text of a card, in both languages, of a ledger, of a plugin's name and of the exception it"
        " raises",
        "shown as text",
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    good = Catalogue({"kelp": a_plugin(tmp_path / "a", str)}, {"wreck": "ImportError: no hull"})
    bad = Catalogue({"kelp": a_plugin(tmp_path / "b", short)}, {short("wreck"): short("ImportError")})
    html = digest.render(bad)
    assert_same_shape(digest.render(good), html)
    assert "{{7*7}}" in html
    counted.again(30)


def test_commands_print_cards_and_ledgers_as_text(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Escapes in cards, ledgers and plugins on the terminal",
        "`list`, `show`, `verdicts`, `digest`, `doctor` and `--help` with the texts above",
        "printed as text",
    )
    bad = Catalogue({"kelp": a_plugin(tmp_path, short)}, {short("wreck"): short("ImportError")})
    (tmp_path / "kelp" / "cli.py").write_text("")
    with mock.patch.object(catalogue, "find", return_value=bad):
        for line in (["list"], ["list", "--json"], ["show", "kelp"], ["verdicts"], ["--help"], ["doctor"],
                     ["digest", "--out", str(tmp_path / "site")], ["show", "wreck"], ["run", "kelp"]):  # fmt: skip
            printed = call(line)
            assert printed.code in (0, 2), printed.err
            assert "Traceback" not in printed.err
            assert_no_controls(printed.out + printed.err)
            counted.again()


def test_generated_markdown_holds_no_markup_of_others(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "Markup in the generated parts of README and docs",
        "elements, links, attribute lists, line breaks and bars in texts of cards and ledgers",
        "every row stays one row; nothing becomes an element, a link or an attribute",
    )
    system = a_plugin(tmp_path, lambda text: f"{short(text)}\n\n# x\n| a | b |\n{{: onclick=alert(7)}} <javascript:x>")
    system = dataclasses.replace(system, origin="built in")
    with mock.patch.object(System, "ledger", tmp_path / "kelp" / "ledger"):
        parts = [make(system, tmp_path) for make in (overview.headline_of, overview.verdicts_of, overview.published_of)]
        parts.append(overview.table(Catalogue({"kelp": system}), tmp_path))
    for text in parts:
        assert not re.search(r"<(?!!--)", text), text[:300]
        assert "](javascript" not in text
        assert "{:" not in text
        assert not re.search(r"^#", text, re.MULTILINE)
        assert_no_controls(text)
        counted.again()


# ---------------------------------------------------------------------------------------------------------- exceptions
@pytest.mark.parametrize("kind", [HoldfastError, InputError])
def test_messages_are_one_line_that_controls_nothing(kind: Any, attack: Any) -> None:
    counted = attack(
        "Escapes and line breaks in messages", "in names, rules and values of every error", "one line, printed as it is"
    )
    error = kind(PAYLOAD, "must be\n" + PAYLOAD, [PAYLOAD]) if kind is InputError else kind(PAYLOAD + "\r\n\u2028x")
    text = str(error)
    assert len(text.splitlines()) == 1
    assert_no_controls(text)
    counted.again()


def test_an_svg_that_a_trial_leaves_runs_no_script(tmp_path: Path, attack: Any) -> None:
    counted = attack(
        "A picture with a script",
        "SVG with scripts, handlers and foreign objects; a page called .png; as artifacts of a trial",
        "embedded as an image, where nothing runs, or linked; the page's policy allows its own script only",
    )
    svg = "<svg xmlns='http://www.w3.org/2000/svg' onload='alert(7)'><script>alert(7)</script></svg>"
    files = {"a.svg": svg, "b.png": f"<html>{svg}", "c.html": svg}
    for file, content in files.items():
        (tmp_path / file).write_text(content)
    artifacts = [{"name": "n", "file": file, "kind": "image", "caption": ""} for file in files]
    record = Record("k", "AdaMatch", PROBLEMS[0], {}, 0, "ok", {"accuracy": 1.0}, artifacts=artifacts)
    html = render(make_results(tmp_path, records=[record], verdicts=[]))
    assert "<script>alert" not in html
    assert "onload=" not in html
    assert html.count("<img ") == 1
    assert f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" in html
    assert "script-src &#39;sha256-" in html or "script-src 'sha256-" in html
    counted.again(len(files))


def test_tables_and_ledgers_are_read_back_as_they_were(both: tuple[Results, Results, Poison]) -> None:
    """The walk has not made the records something else than records."""
    _, bad, _ = both
    table = RecordTable(bad.records, bad.experiment)
    assert table.replicates == [1000, 1001]
    assert ledger.headline_of(bad.verdicts) is not None
