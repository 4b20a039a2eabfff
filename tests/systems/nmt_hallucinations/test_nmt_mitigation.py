"""DeHallucinator with a model whose every answer is known."""

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.metrics.chrf import chrf
from holdfast.systems.nmt_hallucinations import DeHallucinator, Hypothesis, Outputs, agreement, logprob_under_dropout
from holdfast.systems.nmt_hallucinations.method.mitigation import n_best, under_dropout


class Known:
    """Translates "x" into "made up" with a low probability, others well; under dropout x becomes one of three."""

    drawn = ("a good text", "a good test", "nonsense")

    def __init__(self):
        self.asked = []

    def translate(self, sources, *, seed=None, count=1):
        self.asked.append((tuple(sources), seed, count))
        if seed is not None:
            return [[Hypothesis(self.drawn[seed % 3], (seed, 0))] for _ in sources]
        first = ["made up" if s.startswith("x") else f"good {s}" for s in sources]
        return [[Hypothesis(text if k == 0 else f"{text} {k}", (k, 0)) for k in range(count)] for text in first]

    def outputs(self, sources, translations, *, seed=None):
        bad = [
            -3.0 if y.text == "made up" else -0.1 - 0.01 * len(s) for s, y in zip(sources, translations, strict=True)
        ]
        return Outputs([torch.tensor([b, b - (seed or 0)]) for b in bad])


def longest(model, source, pool):
    return np.array([len(h.text) for h in pool], float)


def test_only_what_is_flagged_is_translated_again():
    model = Known()
    found = DeHallucinator(model, scorer=longest, n=3, threshold=1.0).translate(["a", "x", "bb"])
    assert [r.text for r in found] == ["good a", "a good text", "good bb"]
    assert [r.flagged for r in found] == [False, True, False]
    assert [round(r.score, 2) for r in found] == [0.11, 3.0, 0.12]
    assert [text for text, _ in found[1].candidates] == [*Known.drawn, "made up"]
    assert found[0].candidates == ()
    again = [asked for asked in model.asked if asked[1] is not None]
    assert again == [(("x",), 0, 1), (("x",), 1, 1), (("x",), 2, 1)]


def test_the_first_translation_stays_in_the_pool():
    worst = DeHallucinator(Known(), scorer=lambda m, s, pool: np.arange(len(pool)), n=2, threshold=1.0)
    assert worst.translate(["x"])[0].text == "made up"


def test_a_quantile_of_clean_sources_sets_the_threshold():
    clean = ["a" * k for k in range(1, 11)]
    tool = DeHallucinator(Known(), scorer=longest, n=1, threshold="quantile:0.9")
    with pytest.raises(InputError, match="call fit"):
        tool.translate(["a"])
    scores = [0.1 + 0.01 * k for k in range(1, 11)]
    assert tool.fit(clean).threshold_ == pytest.approx(np.quantile(scores, 0.9))
    assert [r.flagged for r in tool.translate(["a", "x", "a" * 10])] == [False, True, True]
    assert DeHallucinator(Known(), threshold=0.5).fit(clean).threshold_ == 0.5


@pytest.mark.parametrize("threshold", ["quantile:2", "median", "quantile:x"])
def test_other_thresholds_are_refused(threshold):
    with pytest.raises(InputError, match="threshold"):
        DeHallucinator(Known(), threshold=threshold)
    with pytest.raises(InputError, match="n: must"):
        DeHallucinator(Known(), n=0)


def test_agreement_is_the_mean_chrf_with_the_others():
    pool = [Hypothesis(text, ()) for text in (*Known.drawn, "made up")]
    for i, found in enumerate(agreement(Known(), "x", pool)):
        others = [chrf([pool[i].text], [h.text])[0] for j, h in enumerate(pool) if j != i]
        assert found == pytest.approx(np.mean(others))
    assert int(agreement(Known(), "x", pool).argmax()) in (0, 1)
    assert agreement(Known(), "x", pool[:1]).tolist() == [0.0]


def test_probability_under_dropout_is_the_mean_over_masks():
    pool = [Hypothesis("made up", ()), Hypothesis("fine", ())]
    masks = [-(k / 2) for k in range(4)]  # the second token loses k
    expected = [-3.0 + np.mean(masks), -0.11 + np.mean(masks)]
    assert logprob_under_dropout(Known(), "x", pool, masks=4).tolist() == pytest.approx(expected)


def test_where_hypotheses_come_from():
    assert [[h.text for h in row] for row in under_dropout(Known(), ["a", "b"], 2)] == [list(Known.drawn[:2])] * 2
    assert [[h.text for h in row] for row in n_best(Known(), ["a"], 3)] == [["good a", "good a 1", "good a 2"]]
