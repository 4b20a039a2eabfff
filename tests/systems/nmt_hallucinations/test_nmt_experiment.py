"""Labels by rule, what arms are given, and the loader of the published file."""

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.experiment import Scalar
from holdfast.language.translation import Hypothesis, Outputs
from holdfast.systems.nmt_hallucinations import read_annotated
from holdfast.systems.nmt_hallucinations.experiment import experiment, trial
from holdfast.systems.nmt_hallucinations.experiment.trials import FLAGGED, Auroc, packed, unpacked
from holdfast.systems.nmt_hallucinations.problems import labels_of
from holdfast.testing.runs import run_of

HEAD = ",src,mt,ref,correctness,repetitions,named-entities,omission,strong-unsupport,full-unsupport\n"


def labels(gold, said):
    found = labels_of([gold.split()], [said.split()])
    return {name for name, flags in found.items() if flags[0]}


@pytest.mark.parametrize(
    ("gold", "said", "expected"),
    [
        ("a b c d e f g h", "a b c d e f g h", set()),
        ("a b c d e f g h", "x y z", {"full"}),
        ("a b c d e f g h", "a x y z", {"full"}),  # one of eight: .125
        ("a b c d e f g h", "a b x y", {"strong"}),  # two of eight: .25
        ("a b c d e", "a b x y", set()),  # .4 is enough
        ("a b c d", "a b a b a b c d", {"oscillatory"}),  # a b three times
        ("a b a b a b", "a b a b a b", set()),  # as often in gold
        ("a b c d e f g h i j", "a b a b a b", {"strong", "oscillatory"}),
        ("a a a", "", {"full"}),
    ],
)
def test_labels_follow_the_rules(gold, said, expected):
    assert labels(gold, said) == expected


def test_outputs_come_back_as_they_were():
    first = [Hypothesis("a b", (1, 2, 0)), Hypothesis("c", (3, 0))]
    maps = [torch.rand(3, 4).softmax(1), torch.rand(2, 2).softmax(1)]
    said, wrong = [torch.tensor([-1.0, -2, -3]), torch.tensor([-4.0, -5])], [torch.zeros(3), torch.ones(2)]
    state = packed(first, Outputs(said, maps), Outputs(wrong), "test")
    ids, outputs, other = unpacked(state, "test")
    assert ids == [(1, 2, 0), (3, 0)]
    for found, given in ((outputs.token_logprobs, said), (outputs.attention, maps), (other.token_logprobs, wrong)):
        assert all(torch.equal(a, b) for a, b in zip(found, given, strict=True))


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")

    def of(arm, replicate=0):
        run = run_of(experiment, arm, "few words", folder, scale="smoke", replicate=replicate)
        return {m.name: m.value for m in trial(run) if isinstance(m, Scalar)}

    return of


def test_arms_judge_the_same_outputs_and_the_broken_one_another_source(measured):
    own, wrong, oracle = measured("Seq-Logprob"), measured("Seq-Logprob, wrong source"), measured("chrF++")
    assert own["hallucinations"] == wrong["hallucinations"] == oracle["hallucinations"]
    assert own["AUROC"] != wrong["AUROC"]
    assert measured("Seq-Logprob") == own
    kept = measured("kept")
    assert 0 <= kept["hallucinations after"] <= 100
    assert set(kept) == {"hallucinations", "hallucinations after"}


def test_the_control_draws_other_numbers_for_the_same_outputs(measured):
    one, other = measured("chance"), measured("chance, other seeds")
    assert one["hallucinations"] == other["hallucinations"]
    assert one["AUROC"] != other["AUROC"]


def test_auroc_of_cases():
    cases = np.array([[0.9, 1], [0.8, 0], [0.7, 1], [0.1, 0]])
    assert Auroc("%").of_cases(cases) == 75
    assert 0 < FLAGGED < 1


def test_the_published_file_is_read_as_it_is(tmp_path):
    file = tmp_path / "annotated_corpus.csv"
    file.write_text(HEAD + '0,"Ja, so.",Yes.,Yes.,1,0,0,0,0,0\n1,Nein,NA,No,0,1,0,0,0,1\n', encoding="utf-8")
    found = read_annotated(file)
    assert found.src == ["Ja, so.", "Nein"]
    assert found.mt == ["Yes.", "NA"]
    assert found.labels["full"].tolist() == [False, True]
    assert found.labels["oscillatory"].tolist() == [False, True]
    assert found.hallucination.tolist() == [False, True]
    file.write_text(HEAD + "0,a,b,c,0,2,0,0,0,0\n")
    with pytest.raises(InputError, match="0 or 1"):
        read_annotated(file)
    file.write_text("src,mt\na,b\n")
    with pytest.raises(InputError, match="full-unsupport"):
        read_annotated(file)
