"""From records to verdicts: the rule, the looks, the intervals. docs/verdicts.md says it in words, with error rates.

Importing this does not import torch.
"""

from holdfast.decision.looks import Looks as Looks
from holdfast.decision.looks import looks_for as looks_for
from holdfast.decision.rule import decide as decide
from holdfast.decision.rule import decide_all as decide_all
from holdfast.decision.verdict import Verdict as Verdict

__all__ = ["Looks", "Verdict", "decide", "decide_all", "looks_for"]
