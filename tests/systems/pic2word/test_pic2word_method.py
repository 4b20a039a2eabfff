"""Pic2Word's mapper, pseudo-words, loss and baselines: loops, identities, the reference's numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from holdfast.encoders.clip import ConvTower, TinyCLIP
from holdfast.errors import InputError
from holdfast.systems.pic2word import (
    Pic2WordLearner,
    PseudoWordMapper,
    average_query,
    cirr_submission,
    encode_with_pseudo,
    image_query,
    ranks,
    recall_and_precision,
    recall_at_k,
    slerp_query,
    text_query,
)
from holdfast.systems.pic2word.method import compose

VECTORS = Path(__file__).parents[2] / "vectors" / "pic2word.npz"
WORDS = ["a", "photo", "of", "cartoon", "red", "blue", "ball", "and", "*"]


@pytest.fixture(scope="module")
def clip():
    torch.manual_seed(0)
    return TinyCLIP(WORDS, ConvTower(width=8, dim=6), context=9, width=8, heads=2, depth=2, dim=6).eval()


@pytest.fixture(scope="module")
def vectors():
    with np.load(VECTORS, allow_pickle=False) as found:
        return {name: found[name] for name in found.files}


def test_the_mapper_is_the_references(vectors):
    mapper = PseudoWordMapper(8, 6, hidden=16).eval()
    mapper.load_state_dict({k[3:]: torch.from_numpy(v) for k, v in vectors.items() if k.startswith("sd/")})
    with torch.no_grad():
        assert torch.allclose(mapper(torch.from_numpy(vectors["x"])), torch.from_numpy(vectors["out"]), atol=1e-6)


def test_dropout_comes_before_the_relu_and_ends_in_evaluation():
    kinds = [type(layer).__name__ for layer in PseudoWordMapper(4, 3, hidden=5, n_layers=3).layers[1]]
    assert kinds == ["Linear", "Dropout", "ReLU"]
    mapper, x = PseudoWordMapper(4, 3, hidden=50, dropout=0.5), torch.randn(6, 4)
    assert not torch.equal(mapper(x), mapper(x))
    assert torch.equal(mapper.eval()(x), mapper(x))
    assert len(PseudoWordMapper(4, 3, hidden=5, n_layers=3).layers) == 3
    assert PseudoWordMapper(4, 3, hidden=5, n_layers=1)(x).shape == (6, 3)


def test_a_pseudo_word_that_is_a_words_embedding_is_that_word(clip):
    for word in ("red", "ball"):
        s = clip.embed(torch.tensor([clip.token(word)])).expand(2, -1)
        found = encode_with_pseudo(clip, clip.tokens(["a photo of *", "* and a ball"]), s, clip.token("*"))
        wanted = clip.texts([f"a photo of {word}", f"{word} and a ball"])
        assert torch.allclose(found, wanted, atol=1e-6)


def test_inserting_before_the_end_is_replacing_the_placeholder(clip):
    s = torch.randn(3, 8)
    short = clip.tokens(["a photo of"])
    embedded, end = clip.embed(short)[0], int(clip.ends(short)[0])
    inserted = torch.stack([torch.cat([embedded[:end], word[None], embedded[end:]]) for word in s])
    by_hand = clip.from_embeddings(inserted, torch.full((3,), end + 1))
    found = encode_with_pseudo(clip, clip.tokens(["a photo of *"]).expand(3, -1), s, clip.token("*"))
    assert torch.allclose(found, by_hand, atol=1e-6)


def test_every_row_has_its_own_place_and_several_words_keep_their_order(clip):
    texts = ["* a ball", "a photo of a *", "a * ball and a ball"]
    s = torch.randn(3, 8)
    together = encode_with_pseudo(clip, clip.tokens(texts), s, clip.token("*"))
    for i, text in enumerate(texts):
        alone = encode_with_pseudo(clip, clip.tokens([text]), s[i : i + 1], clip.token("*"))
        assert torch.allclose(together[i], alone[0], atol=1e-6)
    order = torch.tensor([2, 0, 1])
    turned = encode_with_pseudo(clip, clip.tokens([texts[i] for i in order]), s[order], clip.token("*"))
    assert torch.allclose(turned, together[order], atol=1e-6)
    two = torch.stack([clip.embed(torch.tensor(clip.token(w))) for w in ("red", "blue")])[None]
    found = encode_with_pseudo(clip, clip.tokens(["a * and a *"]), two, clip.token("*"))
    assert torch.allclose(found, clip.texts(["a red and a blue"]), atol=1e-6)


@pytest.mark.parametrize(
    ("texts", "shape", "named"),
    [
        (["a ball"], (1, 8), "text"),
        (["* and *"], (1, 8), "text"),
        (["a *"], (1, 7), "pseudo"),
        (["a *"], (2, 8), "pseudo"),
    ],
)
def test_other_numbers_of_placeholders_and_other_widths_are_refused(clip, texts, shape, named):
    with pytest.raises(InputError, match=named):
        encode_with_pseudo(clip, clip.tokens(texts), torch.randn(shape), clip.token("*"))


def test_the_loss_is_what_loops_give_and_moves_the_mapper_alone(clip):
    torch.manual_seed(1)
    mapper = PseudoWordMapper(6, 8, hidden=10).eval()
    learner = Pic2WordLearner(mapper, clip)
    features = torch.randn(4, 6)
    loss, _ = learner.loss({"features": features}, torch.Generator())
    v = normalize(features, dim=1)
    t = normalize(
        encode_with_pseudo(clip, clip.tokens(["a photo of *"] * 4), mapper(features).detach(), clip.token("*")), dim=1
    ).detach()
    total = 0.0
    for i in range(4):
        rows = [math.exp(clip.scale * float(v[i] @ t[j])) for j in range(4)]
        columns = [math.exp(clip.scale * float(v[j] @ t[i])) for j in range(4)]
        total -= (math.log(rows[i] / sum(rows)) + math.log(columns[i] / sum(columns))) / 8
    assert float(loss.detach()) == pytest.approx(total, rel=1e-4)
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in mapper.parameters())
    assert all(p.grad is None for p in clip.parameters())
    assert float(learner.loss({"features": features[:1]}, torch.Generator())[0].detach()) == 0
    assert {id(p) for p in learner.parameters()} == {id(p) for p in mapper.parameters()}


def test_biases_do_not_decay(clip):
    learner = Pic2WordLearner(PseudoWordMapper(6, 8, hidden=10), clip, lr=0.1, weight_decay=0.3)
    groups = learner.optimizers()[0].param_groups
    assert [g["weight_decay"] for g in groups] == [0.3, 0.0]
    assert all(p.ndim == 2 for p in groups[0]["params"])
    assert len(groups[1]["params"]) == 3
    assert groups[0]["betas"] == (0.9, 0.98)


def test_the_mapper_sees_features_that_are_not_scaled(clip):
    mapper, features = PseudoWordMapper(6, 8, hidden=10).eval(), torch.randn(2, 6)
    first, second = (compose(clip, mapper, f, ["a *"] * 2, "*") for f in (features, 3 * features))
    assert torch.allclose(first.norm(dim=1), torch.ones(2))
    assert not torch.allclose(first, second, atol=1e-3)


def test_baselines_are_unit_vectors_between_image_and_text(clip):
    image, text = torch.randn(5, 6) * 3, torch.randn(5, 6)
    a, b = normalize(image, dim=1), normalize(text, dim=1)
    assert torch.allclose(image_query(image), a)
    assert torch.allclose(text_query(clip, ["a red ball"]), normalize(clip.texts(["a red ball"]), dim=1))
    for mix in (average_query, slerp_query):
        assert torch.allclose(mix(image, text, 1.0), a, atol=1e-6)
        assert torch.allclose(mix(image, text, 0.0), b, atol=1e-6)
        assert torch.allclose(mix(image, text, 0.3).norm(dim=1), torch.ones(5), atol=1e-6)
    assert torch.allclose(average_query(image, text, 0.3), normalize(0.3 * a + 0.7 * b, dim=1))
    angle = (a * b).sum(1).acos()
    assert torch.allclose((slerp_query(image, text, 0.3) * b).sum(1).acos(), 0.3 * angle, atol=1e-3)
    assert torch.allclose(slerp_query(image, image), a, atol=1e-5)


def test_weights_are_shares_and_texts_fit_the_context(clip):
    for mix in (average_query, slerp_query):
        with pytest.raises(InputError, match="weight"):
            mix(torch.ones(1, 3), torch.ones(1, 3), 5.0)
    with pytest.raises(InputError, match="tokens"):
        encode_with_pseudo(clip, torch.zeros(1, 10, dtype=torch.int64), torch.ones(1, 8), clip.token("*"))


# ------------------------------------------------------------------------------------------------------------- metrics
def test_recall_is_the_references(vectors):
    scores = vectors["ref"] @ vectors["im"].T
    own, reference = np.eye(200, dtype=bool), (np.arange(200) + 7) % 200
    directions = [scores, vectors["im"] @ vectors["ref"].T]

    def agrees(exclude, wanted):
        return any(np.allclose(100 * np.array(recall_at_k(s, own, exclude)), wanted, atol=1e-4) for s in directions)

    assert agrees(reference, vectors["cirr_R1_5_10_50_100"])
    assert agrees(None, vectors["fashion_R1_5_10_50_100"])
    assert not agrees(None, vectors["cirr_R1_5_10_50_100"])


def test_recall_and_precision_are_the_references(vectors):
    labels = vectors["imgnet_labels"]
    same = labels[:, None] == labels
    found = [
        np.concatenate(recall_and_precision(s, same))
        for s in (vectors["ref"] @ vectors["im"].T, vectors["im"] @ vectors["ref"].T)
    ]
    assert any(np.allclose(f, vectors["imgnet_R_then_P_1_5_10_50_100_200"], atol=1e-5) for f in found)


def test_ranks_are_the_references(vectors):
    wanted = json.loads(str(vectors["coco_json"]))
    scores = vectors["im"] @ vectors["ref"].T
    for name, s in (("image_to_ref", scores), ("ref_to_image", scores.T)):
        found = ranks(s)
        assert {k.removeprefix(f"{name}_"): v for k, v in wanted.items() if k.startswith(name)} == pytest.approx(found)


def test_recall_is_what_loops_give_and_grows_with_k():
    rng = np.random.default_rng(0)
    scores, relevant = rng.normal(size=(6, 9)), rng.random((6, 9)) < 0.3
    relevant[:, 0] = True
    exclude = np.array([-1, 2, 3, -1, 1, 8])
    found = recall_at_k(scores, relevant, exclude, ks=(1, 2, 3, 9))
    for k, share in zip((1, 2, 3, 9), found, strict=True):
        hits = 0
        for q in range(6):
            order = sorted((j for j in range(9) if j != exclude[q]), key=lambda j, q=q: -scores[q, j])
            hits += any(relevant[q, j] for j in order[:k])
        assert share == pytest.approx(hits / 6)
    assert found == sorted(found)
    with pytest.raises(InputError, match="relevant"):
        recall_at_k(scores, np.zeros((6, 9), bool))
    with pytest.raises(InputError, match="exclude"):
        recall_at_k(scores, relevant, np.full(6, 9))
    with pytest.raises(InputError, match="square"):
        ranks(scores)


def test_a_submission_names_fifty_without_the_reference():
    scores = np.random.default_rng(0).normal(size=(2, 60))
    names = [f"n{i}" for i in range(60)]
    found = cirr_submission([5, 9], scores, names, np.array([int(scores[0].argmax()), 3]))
    assert (found["version"], found["metric"]) == ("rc2", "recall")
    assert len(found["5"]) == 50
    assert names[int(scores[0].argmax())] not in found["5"]
    assert found["5"][0] == names[int(np.argsort(-scores[0])[1])]
