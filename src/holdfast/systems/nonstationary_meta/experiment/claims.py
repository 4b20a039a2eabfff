"""The claims of the experiment. Margins were chosen on pilots; docs/systems/nonstationary_meta.md says how."""

from __future__ import annotations

from typing import Any

from holdfast.experiment.claims import All, Better, Claim, Differs, LogRatio, NoWorse, ShareOfGap

RECURRENT = ("LSTM", "GRU", "RNN", "Stack-RNN")
NETWORKS = (*RECURRENT, "transformer, sin/cos", "transformer, ALiBi", "MLP window")
COUNTING = ("decayed KT", "window KT", "static KT")
LONG = "ptw, 4x length"
ON_PTW: dict[str, Any] = {"metric": "regret", "on": "ptw"}
EXCESS: dict[str, Any] = {"metric": "regret above the optimum", "compare": LogRatio()}
LEANING: dict[str, Any] = {"metric": "leaning to its own prior"}
ON_SERIES: dict[str, Any] = {"metric": "bits per symbol", "on": ("sunspots", "elnino", "co2")}
TEXT = "the paper's text, as remembered; no number"

HEADLINE = ShareOfGap(
    "LSTM",
    floor="static KT",
    ceiling="PTW",
    at_least=0.75,
    role="headline",
    scope="PTW prior, 32 symbols; 64 units, 1,500 steps of 32 sequences",
    published="networks with memory match the Bayes-optimal predictor of the prior they are trained on",
    source="abstract",
    **ON_PTW,
)

ON_THE_PRIOR: tuple[Claim, ...] = (
    Better("LSTM", than="decayed KT", **ON_PTW),
    Better(
        "LSTM",
        than="MLP window",
        margin=1,
        on="ptw",
        text="without memory the regret above the optimum is at least twice the LSTM's (MLP on 5 symbols, ptw)",
        **EXCESS,
    ),
    All(
        Better("LSTM", than=0.05, metric="imitation error", on="ptw"),
        Better("LSTM", than=0.95, metric="log-odds correlation", on="ptw"),
        text="the LSTM predicts what PTW predicts: within .05 on average, log-odds correlated above .95 (ptw)",
        published="networks imitate the Bayes mixture",
        source="abstract",
    ),
    ShareOfGap(
        "LSTM", floor="static KT", ceiling="LIN", at_least=0.95, metric="regret", on="lin", published="as on PTW",
        source="abstract",
    ),
    All(
        *(NoWorse("LSTM", than=other, margin=0.05, **ON_PTW) for other in NETWORKS[1:]),
        text="no other network is better than the LSTM by .05 nats or more (ptw)",
        published="the LSTM is the best or equals the best",
        source=TEXT,
    ),
    Better("LSTM", than="RNN", published="the vanilla RNN is clearly worse", source=TEXT, **ON_PTW),
)  # fmt: skip

ELSEWHERE: tuple[Claim, ...] = (
    Better(
        "LSTM",
        than=0.0,
        on="lin->ptw",
        text="on PTW data an LSTM trained on LIN predicts more like LIN than like PTW",
        published="trained networks do on other sources as the mixture of their own prior does",
        source=TEXT,
        **LEANING,
    ),
    Better(
        "LSTM",
        than=0.0,
        on="ptw->lin",
        text="on LIN data an LSTM trained on PTW predicts more like PTW than like LIN",
        published="trained networks do on other sources as the mixture of their own prior does",
        source=TEXT,
        **LEANING,
    ),
    Better(
        "transformer, sin/cos",
        than=0.0,
        on="ptw->lin",
        text="on LIN data a transformer that is told positions, trained on PTW, predicts more like PTW than like LIN",
        **LEANING,
    ),
    All(
        *(
            ShareOfGap(net, floor="static KT", ceiling="PTW", at_least=0.65, metric="regret", on=LONG)
            for net in RECURRENT
        ),
        text="recurrent networks close at least 65 % of the gap from static KT to PTW at 4 times the trained length",
        published="RNN-type networks extrapolate to longer sequences",
        source=TEXT,
    ),
    *(
        Better(
            "LSTM",
            than=other,
            margin=1,
            on=LONG,
            text=f"at 4 times the trained length the regret of the {other} above the optimum is at least twice the "
            "LSTM's",
            published="transformers do not extrapolate",
            source=TEXT,
            **EXCESS,
        )
        for other in ("transformer, sin/cos", "transformer, ALiBi")
    ),
    Better("LIN", than="static KT", text="LIN needs fewer bits than static KT on real series", **ON_SERIES),
    Better("PTW", than="static KT", text="PTW needs fewer bits than static KT on real series", **ON_SERIES),
    Better("LSTM", than="PTW", text="the LSTM needs fewer bits than PTW on real series", **ON_SERIES),
)

CONTROLS: tuple[Claim, ...] = (
    All(
        *(Better("PTW", than=arm, **ON_PTW) for arm in (*NETWORKS, "LIN", *COUNTING)),
        text="nothing beats the Bayes optimum, PTW (ptw)",
        role="control",
        expect="found",
    ),
    All(
        *(Better("LIN", than=arm, metric="regret", on="lin") for arm in ("LSTM", "MLP window", "PTW", *COUNTING)),
        text="nothing beats the Bayes optimum, LIN (lin)",
        role="control",
        expect="found",
    ),
    Differs("LSTM", "LSTM, other seeds", role="control", expect="not found", **ON_PTW),
)

CLAIMS: tuple[Claim, ...] = (HEADLINE, *ON_THE_PRIOR, *ELSEWHERE, *CONTROLS)
