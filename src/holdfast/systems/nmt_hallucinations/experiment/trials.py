"""What arms are given, how they score it, and one trial."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from holdfast.data.batches import Batches
from holdfast.data.synthetic.language_pair import spelled
from holdfast.experiment import Measurement, Metric, PerUnit, Run, Scalar, Scale
from holdfast.language.translation import Hypothesis, Outputs
from holdfast.language.word_translator import WordTranslator
from holdfast.layers.encoder_decoder import EncoderDecoder, padded_ids
from holdfast.metrics.chrf import chrf
from holdfast.metrics.detector_report import interpolated_precision, precision_and_recall
from holdfast.metrics.detectors import auroc, fpr_at_recall
from holdfast.randomness import seeded
from holdfast.systems.nmt_hallucinations.method import mitigation as repair
from holdfast.systems.nmt_hallucinations.method import model_based as looks
from holdfast.systems.nmt_hallucinations.method import texts as read
from holdfast.systems.nmt_hallucinations.problems import Annotated, Corpus, Language, labels_of
from holdfast.training import fit
from holdfast.training.translation import TranslationLearner

WARM_UP, FLAGGED = 200, 0.2
PARTS = {"": "test", "validation ": "validation"}
STREAMS = ("translator", "training", "dictionary", "held-out", *PARTS.values())


@dataclass(frozen=True)
class Steps(Scale):
    """How much work.

    Attributes:
        pairs, steps, batch, width: of the translator and its training.
        test: sources to translate; held: clean ones, for references and thresholds.
        drawn: hypotheses under dropout.
    """

    pairs: int = 12_000
    steps: int = 900
    batch: int = 64
    width: int = 64
    test: int = 700
    held: int = 500
    drawn: int = 10


# ------------------------------------------------------------------------------------------------- what arms are given
@dataclass(frozen=True, eq=False)
class Translated(Annotated):
    """Texts with labels, and what the model says.

    Attributes:
        outputs: of the model.
        wrong_source: log-probabilities of the same outputs for another's source.
        clean: attention for clean held-out sources.
        model: to ask further.
    """

    outputs: Outputs
    wrong_source: Outputs
    clean: Sequence[Tensor]
    model: WordTranslator


class Detect(ABC):
    """A way to score outputs."""

    @abstractmethod
    def scores(self, given: Any, run: Run) -> np.ndarray:
        """(N,), higher is more suspicious."""


@dataclass(frozen=True)
class By(Detect):
    """A detector as it is.

    Attributes:
        detector: with `score`.
        wrong_source: broken: the model has read the source of another sentence.
    """

    detector: Any
    wrong_source: bool = False

    def scores(self, given: Any, run: Run) -> np.ndarray:
        outputs = getattr(given, "wrong_source" if self.wrong_source else "outputs", None)
        return np.asarray(self.detector.score(given.src, given.mt, given.ref, outputs))


@dataclass(frozen=True)
class ToData(Detect):
    """Wass-to-Data, with attention for clean sources as reference."""

    def scores(self, given: Any, run: Run) -> np.ndarray:
        return looks.WassToData(given.clean).score(outputs=given.outputs)


@dataclass(frozen=True)
class UnderDropout(Detect):
    """MC-DSim: translates again, several times."""

    def scores(self, given: Any, run: Run) -> np.ndarray:
        drawn = repair.under_dropout(given.model, given.src, run.scale.drawn)
        texts = [[h.text for h in hypotheses] for hypotheses in drawn]
        return looks.MCDSim(run.scale.drawn).score(given.src, given.mt, outputs=Outputs((), (), texts))


@dataclass(frozen=True)
class Chance(Detect):
    """Random numbers."""

    def scores(self, given: Any, run: Run) -> np.ndarray:
        return run.rng("init").random(len(given.mt))


@dataclass(frozen=True)
class MeanRank(Detect):
    """The mean rank of the detectors that need no model."""

    def scores(self, given: Any, run: Run) -> np.ndarray:
        return read.mean_rank([detector.score(given.src, given.mt) for detector in read.TEXT_DETECTORS.values()])


@dataclass(frozen=True)
class GroupedFolds(Detect):
    """Boosted trees of seven features of the texts, each row scored by a model of other folds.

    Rows of one output lie in one fold: 59 copies of a sentence would otherwise know each other.
    """

    def scores(self, given: Any, run: Run) -> np.ndarray:
        from sklearn.ensemble import HistGradientBoostingClassifier
        from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

        model = HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=8, learning_rate=0.06, random_state=0)
        folds = StratifiedGroupKFold(5, shuffle=True, random_state=run.seed("split") % 2**32)
        groups = np.unique(given.mt, return_inverse=True)[1]
        X, y = features(given.src, given.mt), given.hallucination
        return np.asarray(cross_val_predict(model, X, y, groups=groups, cv=folds, method="predict_proba"))[:, 1]


def features(src: Sequence[str], mt: Sequence[str]) -> np.ndarray:
    """(N, 7): the five scores of texts (RT as log(1 + RT)), chrF(y, x), log(1 + words)."""
    parts = {name: detector.score(src, mt) for name, detector in read.TEXT_DETECTORS.items()}
    parts["repeated_targets"] = np.log1p(parts["repeated_targets"])
    return np.column_stack([*parts.values(), chrf(mt, src), np.log1p([len(y.split()) for y in mt])])


@dataclass(frozen=True)
class Repair:
    """What is done with the fifth of the outputs that Seq-Logprob finds most suspicious.

    Attributes:
        resample: where other hypotheses come from; None keeps the outputs.
        scorer: chooses among them.
    """

    resample: Any = None
    scorer: Any = repair.agreement

    def outputs(self, given: Any, drawn: int) -> tuple[np.ndarray, list[str]]:
        """Which rows are flagged, and the texts that then stand there."""
        scores = looks.SeqLogprob().score(outputs=given.outputs)
        flagged = np.flatnonzero(scores >= np.quantile(scores, 1 - FLAGGED))
        if self.resample is None:
            return flagged, [given.mt[i] for i in flagged]
        again = repair.DeHallucinator(given.model, None, self.scorer, drawn, threshold=-1.0, resample=self.resample)
        return flagged, [result.text for result in again.translate([given.src[i] for i in flagged])]


# ---------------------------------------------------------------------------------------------------------- one trial
class Auroc(Metric):
    """In %, from (score, label) of each case."""

    def of_cases(self, values: Any) -> float:
        return 100 * auroc(values[:, 0], values[:, 1].astype(int))


def trial(run: Run[Any, Any, Steps]) -> Iterator[Measurement]:
    """How well the arm's scores find hallucinations, or how many are left after a repair."""
    parts: Mapping[str, Annotated] = {"": run.problem.load()} if isinstance(run.problem, Corpus) else language(run)
    given = parts[""]
    yield Scalar("hallucinations", float(given.hallucination.sum()))
    if isinstance(run.arm, Repair):
        flagged, texts = run.arm.outputs(given, run.scale.drawn)
        found = labels_of([given.ref[i].split() for i in flagged], [text.split() for text in texts])
        yield Scalar("hallucinations after", 100 * float(np.logical_or.reduce(list(found.values())).mean()))
        return
    scores, truth, full = run.arm.scores(given, run), given.hallucination, given.labels["full"]
    if 0 < truth.sum() < len(truth):
        yield Scalar("AUROC", 100 * auroc(scores, truth))
        yield Scalar("FPR@90TPR", 100 * fpr_at_recall(scores, truth))
        yield Scalar("P@R90", 100 * interpolated_precision(scores, truth))
    if 0 < full.sum() < len(full):
        yield Scalar("AUROC full", 100 * auroc(scores, full))
        yield Scalar("P@R90 full", 100 * interpolated_precision(scores, full))
    if run.problem.fixed_test:
        from scipy.stats import rankdata

        cases = np.column_stack([rankdata(scores), truth])
        yield PerUnit("AUROC", cases.tolist(), [str(i) for i in range(len(truth))])
    if not isinstance(run.arm, By):
        return
    if isinstance(run.arm.detector, read.TopNgram):
        flagged = run.arm.detector.flags(given.src, given.mt)
        precision, recall = precision_and_recall(flagged, truth)
        yield Scalar("recall of the rule", 100 * recall)
        if flagged.any():
            yield Scalar("precision of the rule", 100 * precision)
    held = parts.get("validation ")
    if held is not None and 0 < held.hallucination.sum() < len(held.mt):
        yield Scalar("validation AUROC", 100 * auroc(run.arm.scores(held, run), held.hallucination))


def language(run: Run[Any, Language, Steps]) -> dict[str, Translated]:
    """The replicate's translations of test and validation sources."""
    scale, problem = run.scale, run.problem
    seeds = {name: run.seed(f"split, {name}") for name in STREAMS}  # shared with arms that draw anew
    state = run.stage(
        "translated", translated, problem=problem, seeds=seeds, pairs=scale.pairs, steps=scale.steps,
        batch=scale.batch, width=scale.width, test=scale.test, held=scale.held,
    )  # fmt: skip
    net = EncoderDecoder(problem.pair.words + 1, problem.pair.words + 1, scale.width)
    net.load_state_dict({name: state[f"net.{name}"] for name in net.state_dict()})
    model, clean = worded(net, problem), unpacked(state, "held-out")[1].attention
    found = {}
    for prefix, stream in PARTS.items():
        src, gold = sentences(problem, seeds, stream, scale.test)
        first, outputs, wrong = unpacked(state, stream)
        mt = [model.text(ids) for ids in first]
        labels = labels_of([y.split() for y in gold], [y.split() for y in mt])
        found[prefix] = Translated(src, mt, gold, labels, outputs, wrong, clean, model)
    return found


def sentences(
    problem: Language, seeds: Mapping[str, int], stream: str, count: int, clean: bool = False
) -> tuple[list[str], list[str]]:
    """Sources and gold translations as texts."""
    pair, rng = problem.pair, np.random.default_rng(seeds[stream])
    rows = (pair.held_out if clean else pair.test)(count, dictionary_of(problem, seeds), rng)
    return [spelled(row, "source") for row in rows[0]], [spelled(row, "target") for row in rows[1]]


def worded(net: EncoderDecoder, problem: Language) -> WordTranslator:
    """The translator as a model of texts."""
    every = range(1, problem.pair.words + 1)
    return WordTranslator(net, spelled(every, "source").split(), spelled(every, "target").split())


def dictionary_of(problem: Language, seeds: Mapping[str, int]) -> np.ndarray:
    """The replicate's dictionary."""
    return problem.pair.dictionary(np.random.default_rng(seeds["dictionary"]))


def packed(first: Sequence[Hypothesis], outputs: Outputs, wrong: Outputs, name: str) -> dict[str, Tensor]:
    """Outputs as tensors, filled up with NaN; ids with -1."""
    pad = partial(torch.nn.utils.rnn.pad_sequence, batch_first=True, padding_value=float("nan"))
    width = max(A.shape[1] for A in outputs.attention)
    wide = [torch.nn.functional.pad(A, (0, width - A.shape[1]), value=float("nan")) for A in outputs.attention]
    ids = [torch.tensor(h.ids) for h in first]
    return {
        f"{name}.ids": torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=-1),
        f"{name}.log_probs": pad(list(outputs.token_logprobs)),
        f"{name}.wrong": pad(list(wrong.token_logprobs)),
        f"{name}.attention": pad(wide),
    }


def unpacked(state: Mapping[str, Tensor], name: str) -> tuple[list[tuple[int, ...]], Outputs, Outputs]:
    """Ids, outputs, and those for another's source."""
    ids = [tuple(row[row >= 0].tolist()) for row in state[f"{name}.ids"]]
    log_probs, wrong = ([row[~row.isnan()] for row in state[f"{name}.{kind}"]] for kind in ("log_probs", "wrong"))
    maps = [A[: len(row), ~A[0].isnan()] for A, row in zip(state[f"{name}.attention"], ids, strict=True)]
    return ids, Outputs(log_probs, maps), Outputs(wrong)


def translated(
    problem: Language, seeds: dict[str, int], pairs: int, steps: int, batch: int, width: int, test: int,
    held: int,
) -> dict[str, Tensor]:  # fmt: skip
    """A replicate's translator, and what it says."""
    rows = problem.pair.training(pairs, dictionary_of(problem, seeds), np.random.default_rng(seeds["training"]))
    arrays: dict[str, Tensor] = {}
    for name, side in zip(("source", "target"), rows, strict=True):
        ids, real = padded_ids(side)
        arrays |= {name: ids, f"{name} length": real.sum(1)}
    with seeded(seeds["translator"]):
        net = EncoderDecoder(problem.pair.words + 1, problem.pair.words + 1, width)
    fit(
        TranslationLearner(net, problem.lr), Batches(arrays, min(batch, pairs), seeds["translator"]), steps=steps,
        seed=seeds["translator"], schedule=lambda done: min(1.0, (1 + done * steps) / min(WARM_UP, steps // 3)),
    )  # fmt: skip
    state = {f"net.{name}": value for name, value in net.state_dict().items()}
    model = worded(net, problem)
    for stream, count in (*((s, test) for s in PARTS.values()), ("held-out", held)):
        src = sentences(problem, seeds, stream, count, clean=stream == "held-out")[0]
        first = [hypotheses[0] for hypotheses in model.translate(src)]
        state |= packed(first, model.outputs(src, first), model.outputs([*src[1:], src[0]], first), stream)
    return state
