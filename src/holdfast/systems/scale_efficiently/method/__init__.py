"""What a T5-like shape costs, and which shapes a budget allows.   arXiv 2109.10686

inner = nh kv;  attn = 4 dm inner;  mlp = 2 dm ff (3 dm ff where gated)

    encoder = EL (attn + mlp + 2 dm) + dm + 32 nh
    decoder = DL (2 attn + mlp + 3 dm) + dm + 32 nh
    total   = V dm (+ V dm where untied) + encoder + decoder

Differences from card and paper: "50 % fewer parameters" is not tied to a shape, since the abstract names none
(small-nl24 has 86 % of base's weights, small-nl16 60 %); parameters printed on model pages exceed the exact counts by
about 1,100 a block and are not used; names that the released files contradict are refused.
"""

from holdfast.systems.scale_efficiently.method.costs import Machine as Machine
from holdfast.systems.scale_efficiently.method.costs import Memory as Memory
from holdfast.systems.scale_efficiently.method.planning import Plan as Plan
from holdfast.systems.scale_efficiently.method.planning import plan as plan
from holdfast.systems.scale_efficiently.method.shapes import BASES as BASES
from holdfast.systems.scale_efficiently.method.shapes import ParamCount as ParamCount
from holdfast.systems.scale_efficiently.method.shapes import T5Shape as T5Shape

__all__ = ["BASES", "Machine", "Memory", "ParamCount", "Plan", "T5Shape", "plan"]
