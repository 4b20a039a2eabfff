"""The library: training, routing, abstention, merging, saving, what never changes, and what is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.toy_experts import Letters, rows_of

from holdfast.errors import InputError
from holdfast.language.adapted_encoder import SentenceBase
from holdfast.layers.adapters import Bottleneck
from holdfast.retrieval.inner_products import FaissSearch
from holdfast.systems.expert_lms import ExpertLibrary, Training, evaluate_routing, merged
from holdfast.systems.expert_lms.method import accuracy, stored_text
from holdfast.systems.expert_lms.tool.evaluation import routing_figure
from holdfast.systems.expert_lms.tool.library import checked_rows

FAST = {"steps": 60, "lr": 1e-2}
BREAD, TURNED, WIND = rows_of("bread"), rows_of("cliff", turned=True), rows_of("wind", ("bad", "good"))


def library_of(**more):
    return ExpertLibrary(SentenceBase(Letters()), Bottleneck(4), **more)


def texts(rows):
    return [row.input for row in rows], [row.choices for row in rows]


@pytest.fixture(scope="module")
def filled():
    library = library_of()
    library.add_task("bread", BREAD, 20, FAST)
    library.add_task("cliff", TURNED, 20, FAST, {"owner": "sales"})
    return library


def test_experts_learn_their_tasks_even_where_labels_are_turned(filled):
    for name, rows in (("bread", rows_of("bread", seed=1)), ("cliff", rows_of("cliff", seed=1, turned=True))):
        assert accuracy(filled.scores(rows, name), rows) > 95
    other = rows_of("cliff", seed=1, turned=True)
    assert accuracy(filled.scores(other, "bread"), other) < 20


def test_routes_go_to_what_looks_alike(filled):
    for topic in ("bread", "cliff"):
        route = filled.route(*texts(rows_of(topic, seed=2)))
        assert route.expert == topic
        assert route.margin > 0.5
        assert sum(route.votes.values()) == 32
        assert route.abstain == ""
        for vote in ("mean_similarity", "centroid"):
            assert filled.route(*texts(rows_of(topic, seed=2)), vote=vote).expert == topic


def test_votes_are_those_of_the_stored_instances(filled):
    inputs, choices = texts(rows_of("bread", seed=3) + rows_of("cliff", seed=3))
    order = np.random.default_rng(0).permutation(len(inputs))
    inputs, choices = [inputs[i] for i in order], [choices[i] for i in order]
    route = filled.route(inputs, choices, n_queries=17)
    entries = np.concatenate([e.vectors for e in filled.experts.values()]).astype(np.float32)
    rows = checked_rows(inputs, choices)[:17]
    asked = Letters().encode([stored_text(row, "choices+instance") for row in rows])
    owners = (asked @ entries.T).argmax(1) // 20
    assert list(route.votes.values()) == np.bincount(owners, minlength=2).tolist()
    first, second = sorted(route.votes.values(), reverse=True)
    assert route.margin == pytest.approx((first - second) / 17)
    assert route.likeness == pytest.approx(float((asked @ entries.T).max(1).mean()), abs=1e-6)


def test_what_is_stored_is_a_part_of_the_task(filled):
    known = Letters().encode([stored_text(row, "choices+instance") for row in BREAD]).astype(np.float16)
    assert filled.experts["bread"].vectors.shape == (20, 26)
    assert all((known == v).all(1).any() for v in filled.experts["bread"].vectors)
    assert len(library_of().add_task("few", BREAD, 100, {"steps": 1}).vectors) == len(BREAD)


def test_doubt_is_said_and_the_base_answers(filled):
    inputs, choices = texts(rows_of("bread", seed=4)[:8] + rows_of("cliff", seed=4)[:8])
    split = filled.route(inputs, choices)
    assert "the vote is split" in split.abstain
    alone = [row[int(s.argmax())] for row, s in zip(choices, filled.scores(checked_rows(inputs, choices)), strict=True)]
    assert filled.predict(inputs, choices) == alone
    by_expert = filled.predict(inputs, choices, fallback="expert")
    assert by_expert == filled.predict(inputs, choices, split.expert)
    strange = library_of(min_likeness=0.99)
    strange.experts = filled.experts
    assert "nothing stored is like" in strange.route(["zzzz kk"], [("xx", "vv")]).abstain


def test_a_multitask_model_can_be_fallen_back_on(filled):
    library = library_of()
    library.experts = dict(filled.experts)
    inputs, choices = texts(rows_of("bread", seed=4)[:8] + rows_of("cliff", seed=4)[:8])
    with pytest.raises(InputError, match="fallback: needs a multitask model"):
        library.predict(inputs, choices, fallback="mt")
    library.multitask = library.train([*BREAD, *TURNED], Training(**FAST))
    rows = checked_rows(inputs, choices)
    expected = [r.choices[int(s.argmax())] for r, s in zip(rows, library.scores(rows, library.multitask), strict=True)]
    assert library.predict(inputs, choices, fallback="mt") == expected


def test_adding_and_removing_a_task_changes_nothing_else():
    library = library_of()
    library.add_task("bread", BREAD, 20, FAST)
    rows = rows_of("bread", seed=5)
    before, state = library.scores(rows, "bread"), {k: v.clone() for k, v in library.experts["bread"].state.items()}
    library.add_task("cliff", TURNED, 20, FAST)
    assert all(np.array_equal(a, b) for a, b in zip(before, library.scores(rows, "bread"), strict=True))
    assert all(torch.equal(v, state[k]) for k, v in library.experts["bread"].state.items())
    library.remove_task("cliff")
    assert list(library.experts) == ["bread"]
    assert library.route(*texts(rows)).votes == {"bread": 32}


def test_an_expert_that_was_never_trained_is_the_base():
    library, rows = library_of(), rows_of("bread", seed=6)
    untouched = library.scores(rows)
    assert all(np.array_equal(a, b) for a, b in zip(untouched, library.scores(rows, library.start), strict=True))


def test_training_is_repeatable_and_begins_where_it_is_told(filled):
    again = library_of().add_task("bread", BREAD, 20, FAST)
    assert all(torch.equal(v, filled.experts["bread"].state[k]) for k, v in again.state.items())
    library = library_of()
    first = library.train(BREAD, Training(steps=1, lr=1e-9))
    further = library.train(BREAD, Training(steps=1, lr=1e-9), start=filled.experts["cliff"].state)
    assert torch.allclose(first["down.weight"], library.start["down.weight"], atol=1e-6)
    assert torch.allclose(further["down.weight"], filled.experts["cliff"].state["down.weight"], atol=1e-6)


def test_merging_goes_through_the_common_start(filled):
    found = filled.merge(["bread", "cliff"], [3, 1])
    expected = merged(filled.start, [filled.experts[n].state for n in ("bread", "cliff")], [3, 1])
    assert all(torch.equal(v, expected[k]) for k, v in found.items())
    other = ExpertLibrary(SentenceBase(Letters()), Bottleneck(4), seed=1)
    other.add_task("bread", BREAD, 5, {"steps": 2})
    library = library_of()
    library.add_expert("theirs", other.experts["bread"])
    with pytest.raises(InputError, match="began at this library's weights"):
        library.merge(["theirs"])


def test_a_merged_expert_answers_by_name_and_is_never_retrieved(filled):
    library = library_of()
    library.experts = dict(filled.experts)
    both = replace(
        filled.experts["bread"], state=filled.merge(["bread", "cliff"]), vectors=np.zeros((0, 26), np.float16)
    )
    library.add_expert("both", both)
    assert set(library.route(*texts(BREAD)).votes) == {"bread", "cliff"}
    assert len(library.predict(*texts(BREAD), "both")) == len(BREAD)


@pytest.mark.parametrize("search", [FaissSearch])
def test_another_search_routes_the_same(filled, search):
    library = library_of(search=search)
    library.experts = filled.experts
    assert library.route(*texts(rows_of("cliff", seed=7))).votes == filled.route(*texts(rows_of("cliff", seed=7))).votes


def test_formats_need_choices_or_not(filled):
    with pytest.raises(InputError, match="choices: must be given"):
        filled.route(["bread"])
    plain = library_of(text_format="instance")
    plain.add_task("bread", BREAD, 5, {"steps": 1})
    assert plain.route(["bread oo"]).expert == "bread"


# ------------------------------------------------------------------------------------------------------- the evaluation
def test_the_table_says_who_answers_how_well(filled):
    bread, cliff = rows_of("bread", seed=8), rows_of("cliff", seed=8, turned=True)
    table = evaluate_routing(
        filled, {"new bread": bread, "new cliff": cliff, "looks wrong": rows_of("bread", turned=True)}
    )
    each = {n: accuracy(filled.scores(bread, n), bread) for n in filled.experts}
    assert table.loc["new bread", "random"] == pytest.approx(np.mean(list(each.values())))
    assert table.loc["new bread", "roe"] == each["bread"] == table.loc["new bread", "oracle"]
    assert table.loc["new bread", "base"] == accuracy(filled.scores(bread), bread)
    assert np.isnan(table.loc["new bread", "mt"])
    assert table.loc["looks wrong", ["expert", "best", "oracle_rank"]].tolist() == ["bread", "cliff", 2]
    assert table.loc["mean", "roe"] == pytest.approx(table["roe"].iloc[:3].mean())
    assert len(routing_figure(table).axes[0].get_yticklabels()) == 4
    with pytest.raises(InputError, match="tasks: must have a target"):
        evaluate_routing(filled, {"x": checked_rows(*texts(bread))})
    with pytest.raises(InputError, match="tasks: must hold"):
        evaluate_routing(filled, {})


# ------------------------------------------------------------------------------------------------------------- on disk
def test_a_saved_library_answers_the_same(filled, tmp_path):
    filled.multitask = filled.train(BREAD, Training(steps=2))
    filled.save(tmp_path / "lib")
    again = ExpertLibrary.load(tmp_path / "lib", encoder=Letters())
    rows = rows_of("bread", seed=9)
    assert again.route(*texts(rows)) == filled.route(*texts(rows))
    assert all(
        np.array_equal(a, b) for a, b in zip(filled.scores(rows, "cliff"), again.scores(rows, "cliff"), strict=True)
    )
    assert again.experts["cliff"].metadata == {"owner": "sales"}
    assert all(torch.equal(v, filled.multitask[k]) for k, v in again.multitask.items())
    assert np.load(tmp_path / "lib/index.npy").dtype == np.float16
    again.merge(["bread", "cliff"])
    again.save(tmp_path / "lib")
    filled.multitask = None


def test_another_encoder_or_base_is_refused(filled, tmp_path):
    class Others(Letters):
        name = "others"

    class Shifted(Letters):
        def encode(self, texts):
            return np.roll(super().encode(texts), 1, axis=1)

    filled.save(tmp_path / "lib")
    for encoder in (Others(), Shifted()):
        with pytest.raises(InputError, match="encoder: must be the one"):
            ExpertLibrary.load(tmp_path / "lib", encoder=encoder)
    with pytest.raises(InputError, match="base: must be"):
        ExpertLibrary.load(tmp_path / "lib", encoder=Letters(), base=SentenceBase(Letters(), tau=3.0))


@pytest.mark.parametrize("damage", ["cut", "gone", "index", "format", "json", "owner"])
def test_damaged_libraries_are_refused(filled, tmp_path, damage):
    folder = filled.save(tmp_path / "lib")
    if damage == "cut":
        (folder / "expert-0001.safetensors").write_bytes(b"123456789")
    elif damage == "gone":
        (folder / "expert-0000.safetensors").unlink()
    elif damage == "index":
        np.save(folder / "index.npy", np.zeros((50, 26), np.float16))
    elif damage == "json":
        (folder / "library.json").write_text("{")
    else:
        about = json.loads((folder / "library.json").read_text())
        about.update({"format": 2} if damage == "format" else {"experts": [{"name": "x"}]})
        (folder / "library.json").write_text(json.dumps(about))
    with pytest.raises(InputError):
        ExpertLibrary.load(folder, encoder=Letters())


def test_nothing_else_is_overwritten(filled, tmp_path):
    (tmp_path / "thesis.tex").write_text("dear")
    with pytest.raises(InputError, match="folder: must be a library, empty or new"):
        filled.save(tmp_path)
    with pytest.raises(InputError, match=r"folder: must be a library of experts, with library\.json"):
        ExpertLibrary.load(tmp_path)
    odd = ExpertLibrary(SentenceBase(Letters()), lambda layer, width: Bottleneck(2)(layer, width))
    with pytest.raises(InputError, match="adapter_factory: must be one of"):
        odd.save(tmp_path / "odd")


# -------------------------------------------------------------------------------------------------------- bad arguments
@pytest.mark.parametrize(
    ("do", "words"),
    [
        (lambda lib: lib.add_task("bread", BREAD), "name: must be new"),
        (lambda lib: lib.add_task(" ", BREAD), "name: must be new"),
        (lambda lib: lib.add_task("x", BREAD[:1]), "train_data: must have at least two"),
        (lambda lib: lib.add_task("x", []), "train_data: must have at least two"),
        (lambda lib: lib.add_task("x", checked_rows(*texts(BREAD))), "train_data: must have a target in every row"),
        (lambda lib: lib.add_task("x", BREAD, 0), "n_stored: must"),
        (lambda lib: lib.add_task("x", BREAD, 5, {"stops": 3}), "train_kwargs: must be fields"),
        (lambda lib: lib.add_task("x", BREAD, 5, {"lr": 0.0}), "lr: must"),
        (lambda lib: lib.remove_task("none"), "name: must be one of bread, cliff"),
        (lambda lib: lib.route([], []), "inputs: must hold"),
        (lambda lib: lib.route(["a"], [("x", "y")], vote="loud"), "vote: must"),
        (lambda lib: lib.route(["a"], []), "choices: must be there"),
        (lambda lib: lib.predict(["a"], [("x",)]), "choices: must be two"),
        (lambda lib: lib.predict(["a"], [("x", "y")], fallback="me"), "fallback: must"),
        (lambda lib: lib.predict(["a"], [("x", "y")], "none"), "name: must be one of"),
        (lambda lib: lib.scores([]), "inputs: must hold"),
        (lambda lib: library_of().route(["a"], [("x", "y")]), "library: must hold an expert"),
        (lambda lib: library_of(text_format="prose"), "text_format: must"),
        (lambda lib: library_of(min_margin=2.0), "min_margin: must"),
        (lambda lib: SentenceBase(Letters(), tau=0.0), "tau: must"),
        (lambda lib: lib.add_expert("x", replace(lib.experts["bread"], state={})), "expert: must have adapters"),
        (
            lambda lib: lib.add_expert("x", replace(lib.experts["bread"], vectors=np.ones((1, 3)))),
            "expert: must have vec",
        ),
    ],
)
def test_mistakes_are_named(filled, do, words):
    before = list(filled.experts)
    with pytest.raises(InputError, match=words):
        do(filled)
    assert list(filled.experts) == before
