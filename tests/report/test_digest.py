"""The digest holds every system, says what the ledgers say, and trusts nobody's text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from holdfast import catalogue, cli, ledger
from holdfast.canonical import sealed
from holdfast.catalogue import Card, Catalogue, Languages, PublishedClaim, Reference, System, Texts, TranslatedTexts
from holdfast.decision import Verdict
from holdfast.errors import InputError
from holdfast.report import bilingual, digest, entries, wording
from holdfast.report.compact import compact

NASTY = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7919 * 7907 }}\x1b\x00\u202e"
VOID = {"meta", "img", "br", "link", "input", "hr"}
INF = float("inf")
RECORD = {"arm": "a", "problem": "p", "point": {}, "replicate": 1000, "status": "ok", "cost": {"seconds": 125.0}}
MakeVerdict = Callable[..., Verdict]


class Reader(HTMLParser):
    """Tags, attributes and text; elements have to nest."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.said: list[str] = []
        self.stack: list[str] = []
        self.feed(html)
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.said).split())

    def values(self, name: str) -> list[str]:
        return [value for _, found, value in self.attributes if found == name]


def texts(said: str) -> Texts:
    return Texts(
        title=f"{said} title", sentence=f"{said} sentence", points=(f"{said} point 1", f"{said} point 2"),
        use_when=f"{said} use", avoid_when=f"{said} avoid",
    )  # fmt: skip


def translated(said: str, task: str = "做点什么") -> TranslatedTexts:
    return TranslatedTexts(task=task, **texts(said).model_dump())


def make_system(folder: Path, name: str, **fields: Any) -> System:
    """A plugin that cannot be imported; its ledger lies in its folder."""
    base: dict[str, Any] = {
        "id": name,
        "title": f"{name}: a paper",
        "authors": ("A. Uthor", "B. Ooks"),
        "year": 2020,
        "arxiv": "2001.00001",
        "areas": ("LG",),
        "task": "do something",
        "texts": Languages(en=texts(f"{name} en"), zh=translated(f"{name} 中文")),
        "claims": (PublishedClaim(claim=f"{name} wins", number="+5 %", source="abstract"),),
        "reference": Reference(url="https://example.org/code", licence="MIT"),
    }
    (folder / name).mkdir(exist_ok=True)
    return System(Card(**{**base, **fields}), f"no_such_package_{name}", folder / name, "plugin ocean")


def keep(system: System, verdicts: list[dict[str, Any]], **fields: Any) -> None:
    system.ledger.mkdir(exist_ok=True)
    content = {
        "scale": "small",
        "commit": "0123456789abcdef",
        "versions": {},
        "code": "0",
        "plan": "0",
        "plan_number": 1,
        "started": "2026-01-01",
        "machine": "2 cores",
        "records": [RECORD],
        "verdicts": verdicts,
        **fields,
    }
    ledger.ledger_path(system, "small").write_text(json.dumps(sealed(content)))


def catalogue_of(*systems: System, **broken: str) -> Catalogue:
    return Catalogue({s.id: s for s in systems}, broken)


@pytest.fixture(scope="module")
def some(tmp_path_factory: pytest.TempPathFactory, verdict: MakeVerdict) -> Catalogue:
    folder = tmp_path_factory.mktemp("plugins")
    words = [Languages(en=texts(f"{n} en"), zh=translated(f"{n} 中文", "抓牢")) for n in ("kelp", "reef_2")]
    kelp = make_system(folder, "kelp", task="hold on", areas=("CV", "LG"), patent="patented", texts=words[0])
    reef = make_system(folder, "reef_2", task="hold on", arxiv="", texts=words[1])
    coral = make_system(folder, "coral", areas=("CL",))
    control = verdict(text="a control", role="control", expected="found", as_expected=False, region=(0.0, INF))
    second = verdict(text="a second claim", role="secondary", verdict="undecided", needed=40, unit="s")
    keep(kelp, [control.to_json(), second.to_json(), verdict().to_json()])
    keep(reef, [verdict(verdict="undecided").to_json()])
    return catalogue_of(reef, kelp, coral, wreck="ImportError: no hull")


@pytest.fixture(scope="module")
def html(some: Catalogue) -> str:
    return digest.render(some)


@pytest.fixture(scope="module")
def page(html: str) -> Reader:
    return Reader(html)


def test_every_system_is_there_in_both_languages(page: Reader, some: Catalogue) -> None:
    for name, system in some.systems.items():
        assert name in page.values("id")
        assert f"holdfast run {name}" in page.text
        assert system.card.title in page.text
        for said in (system.card.texts.en, system.card.texts.zh):
            for text in (said.title, said.sentence, *said.points, said.use_when, said.avoid_when):
                assert text in page.text
    assert {"https://arxiv.org/abs/2001.00001", "https://example.org/code"} <= set(page.values("href"))
    assert "A. Uthor, B. Ooks; 2020" in page.text
    assert "wreck: ImportError: no hull" in page.text
    assert "[plugin ocean]" in page.text
    assert "patented" in page.text


def test_systems_are_grouped_by_task_and_know_their_areas(html: str) -> None:
    words = r'<span class="en" lang="en">(.*?)</span><span class="zh" lang="zh-Hans">(.*?)</span>'
    groups = re.findall(rf'<section class="task">\s*<h2>{words}</h2>(.*?)</section>', html, re.DOTALL)
    entries = {(en, zh): re.findall(r'class="entry" id="(\w+)" data-areas="([^"]*)"', body) for en, zh, body in groups}
    assert entries == {
        ("do something", "做点什么"): [("coral", "CL")],
        ("hold on", "抓牢"): [("kelp", "CV LG"), ("reef_2", "LG")],
    }
    assert re.findall(r'name="area" value="(\w+)"', html) == ["LG", "CV", "CL"]


def test_verdicts_are_those_of_the_ledger_headline_first(html: str, page: Reader) -> None:
    kelp = html[html.index('id="kelp"') : html.index('id="reef_2"')]
    kelp = re.sub(r"<figure.*?</figure>", "", kelp, flags=re.DOTALL)
    assert 0 < kelp.index("AdaMatch beats source only") < kelp.index("a second claim") < kelp.index("a control")
    for said in ("better: yes; by the claimed 10: yes", "+19.9 [17.8, 22.1] %", "not as expected", "不符合预期"):
        assert said in kelp
    for said in ("n = 8；目标：不低于 10 %", "About 40 replicates", "约 40 次重复", "commit 0123456789ab, 2 min 5 s"):
        assert said in page.text
    assert html.count("not measured yet") == 3  # coral, in its summary and below; and where the errors are counted
    assert {f"forest-{name}" for name in ("kelp-0", "kelp-1", "reef-2-0")} <= set(page.values("id"))


def test_ids_are_unique_and_labels_lead_somewhere(page: Reader) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inside = {value[1:] for value in page.values("href") if value.startswith("#")}
    assert inside | set(page.values("for")) | set(page.values("aria-describedby")) <= set(ids)
    # A system's id holds no hyphen, so none can take an id that the page's script looks for.
    own = {i for i in ids if i not in ("kelp", "reef_2", "coral") and not i.startswith("forest-")}
    assert own
    assert all("-" in i for i in own)


def test_nothing_is_loaded_and_only_the_pages_own_script_may_run(html: str, page: Reader) -> None:
    assert {value[:5] for value in page.values("src")} <= {"data:"}
    assert "link" not in page.tags
    assert not re.findall(r"url\((?!#)", html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    hashed = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = (v for v in page.values("content") if "default-src" in v)
    assert "default-src 'none'" in policy
    assert f"script-src 'sha256-{hashed}'" in policy


def test_all_is_readable_without_the_script_and_english_is_chosen(html: str, page: Reader) -> None:
    hidden = [tag for tag, name, _ in page.attributes if name == "hidden"]
    assert hidden == ["div", "p"]  # the controls, which need it, and "no match"
    assert re.search(r'id="lang-en"[^>]* checked', html)
    assert not re.search(r'id="lang-zh"[^>]* checked', html)
    opened = re.findall(r'<details class="entry"[^>]*>', html)
    assert len(opened) == 3
    assert all(tag.endswith(" open>") for tag in opened), "so few are shown unfolded"


def test_what_the_script_looks_for_is_on_the_page(page: Reader) -> None:
    script = Path(digest.__file__).with_name("digest.js").read_text(encoding="utf-8")
    lists = re.findall(r"= \[((?:\"[a-z-]+\"(?:, )?)+)\]\.map\(find\)", script)
    wanted = {name for found in lists for name in re.findall(r'"([a-z-]+)"', found)}
    assert len(wanted) == 6
    assert wanted <= set(page.values("id"))


def test_markup_in_every_field_stays_text(tmp_path: Path, verdict: MakeVerdict) -> None:
    said = texts(NASTY)
    nasty = make_system(
        tmp_path, "nasty", title=NASTY, authors=(NASTY,), venue=NASTY, task=NASTY, patent=NASTY,
        texts=Languages(en=said, zh=translated(NASTY, NASTY)),
        reference=Reference(url='https://x/"onclick="alert(1)<b>', licence=NASTY),
        claims=(PublishedClaim(claim=NASTY, number=NASTY, setting=NASTY, source=NASTY),), arxiv="",
    )  # fmt: skip
    words = dict.fromkeys(
        ("text", "unit", "asks", "margin", "reason", "published", "source", "scope", "expected"), NASTY
    )
    made = [verdict(role=role, **words).to_json() for role in ("headline", "secondary", "control")]
    keep(nasty, made, commit=NASTY, machine=NASTY)
    damaged = make_system(tmp_path, "damaged", task=NASTY)
    keep(damaged, [{**made[0], "verdict": NASTY}])
    broken = Catalogue({"nasty": nasty, "damaged": damaged}, {NASTY: NASTY})
    html = digest.render(broken)
    page = Reader(html)
    assert "img" not in page.tags
    assert page.tags.count("script") == 1
    assert not {name for _, name, _ in page.attributes if name.startswith("on")}
    assert "62615533" not in re.sub(r"<svg.*?</svg>|<style>.*?</style>", "", html, flags=re.DOTALL)
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e]", html)
    assert wording.clean(NASTY) in "".join(page.said)


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "<b>maybe</b>"}, {"role": "king"}, {"n": "many"}, {"claim": []}, {"notes": [{}]}, {"interval": [1]},
        {"interval": 3}, {"effect": "x"}, {"region": [0, 1, 2]}, {"text": None, "unit": []}, {"parts": [{}]},
        {"no_such_field": 1},
    ],
)  # fmt: skip
def test_a_ledger_of_nonsense_is_named_and_hides_nobody(
    tmp_path: Path, verdict: MakeVerdict, change: dict[str, Any]
) -> None:
    odd, sound = make_system(tmp_path, "odd"), make_system(tmp_path, "sound")
    keep(odd, [{**verdict().to_json(), **change}])
    keep(sound, [verdict().to_json()])
    page = Reader(digest.render(catalogue_of(odd, sound)))
    assert "Its ledger cannot be used" in page.text
    assert "1 in the ledger" in page.text


def test_an_edited_ledger_is_named(tmp_path: Path, verdict: MakeVerdict) -> None:
    odd = make_system(tmp_path, "odd")
    keep(odd, [verdict().to_json()])
    path = ledger.ledger_path(odd, "small")
    path.write_text(path.read_text().replace("19.9", "91.9"))
    told = entries.entry(odd).measured
    assert "restore it with git" in told.unreadable
    assert told.verdicts == ()
    path.write_text("{")
    assert "must be valid JSON" in entries.entry(odd).measured.unreadable


def test_false_headlines_are_counted_as_the_page_says(html: str, page: Reader, verdict: MakeVerdict) -> None:
    found = [
        verdict(),
        verdict(verdict="does not hold"),
        verdict(verdict="undecided"),
        verdict(verdict="not testable here", effect=None, interval=None),
        verdict(verdict="undecided", effect=None, interval=None, n=3),  # too few replicates to be judged
        verdict(claim={"type": "Exact"}),
        None,
    ]
    errors = entries.false_headlines(found)
    assert (errors.tested, errors.decided, errors.rate) == (3, 2, 0.05)
    assert errors.expected == pytest.approx(0.15)
    assert entries.false_headlines([]).expected == 0
    assert "At most 0.10 = 2 headline claims tested × 5 %. Of those tested, 1 is decided" in page.text
    assert "最多 0.10 个 = 已检验的主要结论 2 个 × 5 %。其中 1 个已有定论" in page.text


def test_all_words_have_two_languages_and_every_one_is_used() -> None:
    template = Path(digest.__file__).with_name("digest.html.j2").read_text(encoding="utf-8")
    unsaid = [w for w in bilingual.WORDS if not re.search(rf"(\"{w}\"|W\.{w}\b)", template)]
    assert set(unsaid) == {*wording.SIGNS, "secondary", "control"}, "these are said by the name in the ledger"
    for english, chinese in (*bilingual.WORDS.values(), *bilingual.AREAS.values()):
        assert english.isascii()
        assert re.search("[\u4e00-\u9fff]", chinese)


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ((10.0, INF), "不低于 10 %"), ((-INF, 2.5), "不高于 2.5 %"), ((-1.0, 1.0), "介于 -1 与 1 之间 %"),
        ((5.0, 5.0), "恰为 5 %"),
    ],
)  # fmt: skip
def test_targets_are_said_in_chinese(region: tuple[float, float], said: str, verdict: MakeVerdict) -> None:
    assert bilingual.effect_zh(verdict(region=region)).endswith(f"；目标：{said}")
    assert "目标" not in bilingual.effect_zh(verdict(region=None))
    assert bilingual.effect_zh(verdict(effect=None)) == ""


def test_a_kept_figure_goes_in_as_an_image_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: MakeVerdict
) -> None:
    svg = tmp_path / "docs" / "assets" / "kelp.svg"
    svg.parent.mkdir(parents=True)
    svg.write_text("<svg xmlns='http://www.w3.org/2000/svg'><style>:root{color:red}</style></svg>")
    monkeypatch.setattr(entries, "CHECKOUT", tmp_path)
    plugin = make_system(tmp_path, "kelp")
    keep(plugin, [verdict().to_json()])
    assert digest.figure_of(entries.entry(plugin)).kept == "", "a plugin of that name has no figure in this repository"
    built_in = System(plugin.card, plugin.package, plugin.folder, "built in")
    monkeypatch.setattr(System, "ledger", property(lambda self: self.folder / "ledger"))
    page = Reader(digest.render(catalogue_of(built_in)))
    (source,) = page.values("src")
    assert unquote(source.removeprefix("data:image/svg+xml,")) == compact(svg.read_text()).replace('"', "'")
    assert ("img", "alt", "kelp en title and what it is compared with") in page.attributes
    assert "svg" not in page.tags


def test_only_the_page_is_written_whole_or_not_at_all(
    tmp_path: Path, some: Catalogue, html: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "a new" / "site"
    path = digest.write_digest(some, site)
    assert path.read_text(encoding="utf-8") == html, "equal catalogues give equal pages"
    (site / "other.txt").write_text("mine")
    monkeypatch.setattr(digest, "render", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        digest.write_digest(some, site)
    assert {p.name for p in site.iterdir()} == {"index.html", "other.txt"}
    assert path.read_text(encoding="utf-8") == html
    with pytest.raises(InputError, match="--out: must be a folder"):
        digest.write_digest(some, site / "other.txt")


def test_an_entry_is_small() -> None:
    """39 of them make one page."""
    built_in = [s for s in catalogue.find().systems.values() if s.origin == "built in"]
    html, empty = digest.render(catalogue_of(*built_in)), digest.render(Catalogue())
    assert (len(html.encode()) - len(empty.encode())) / len(built_in) <= 35_000


def test_the_command(tmp_path: Path, some: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue, "find", lambda: some)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app.app, ["digest"])
    assert done.exit_code == 0
    assert done.stdout == f"3 systems: {Path('site') / 'index.html'}\n"
    assert done.stderr == "cannot be used: wreck: ImportError: no hull\n"
    assert (tmp_path / "site" / "index.html").is_file()


def test_a_folder_whose_name_controls_a_terminal_is_told_in_plain_characters(
    tmp_path: Path, some: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "find", lambda: some)
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.app.app, ["digest", "--out", "red\x1b[31m\x90"])
    assert done.stdout == f"3 systems: {Path('red�[31m�') / 'index.html'}\n"
    assert (tmp_path / "red\x1b[31m\x90" / "index.html").is_file()


def test_an_empty_catalogue_is_a_page_too() -> None:
    page = Reader(digest.render(Catalogue()))
    assert "0 systems" in page.text
    assert "At most 0.00 = 0 headline claims tested" in page.text


def test_neither_torch_nor_a_system_is_imported() -> None:
    code = "import sys; from holdfast import catalogue; from holdfast.report import digest\n"
    code += "digest.render(catalogue.find())\n"
    code += "print([m for m in sys.modules if m == 'torch' or m.startswith('holdfast.systems.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
