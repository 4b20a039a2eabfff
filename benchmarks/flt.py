"""FLT's attention against softmax with the same bias, and FAVOR+ against performer-pytorch: same work, same run.

    python benchmarks/flt.py [--threads 1] [--repeats 5] [--lengths 256 1024 4096 16384] [--device cpu]

Peers: torch's scaled_dot_product_attention with N1 N2^T as additive mask (forward and backward, where N^2 numbers fit
below --most-bias bytes); performer-pytorch (MIT; pip install --no-deps performer-pytorch einops
axial-positional-embedding local-attention hyper-connections), the same projection matrix, non-causal.
Medians over repetitions of processor time; on CUDA of wall time.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.layers.linear_attention import FavorKernel, linear_attention
from holdfast.systems.flt import FLTAttention, FourierRPE
from holdfast.testing.timing import interleaved, medians

WIDTH, HEADS, FEATURES, FREQUENCIES = 64, 2, 256, 16


def trained(attention: FLTAttention, x: Tensor, pos: Tensor) -> None:
    """Forward and backward."""
    attention(x, pos).square().mean().backward()
    attention.zero_grad(set_to_none=True)


def against_softmax(lengths: list[int], repeats: int, most: float, device: torch.device) -> dict[str, float]:
    """Seconds of both, their ratio, slopes in N, and where they cross."""
    out: dict[str, float] = {}
    seconds: dict[str, dict[int, float]] = {"FLT": {}, "softmax": {}}
    linear = FLTAttention(WIDTH, HEADS, FourierRPE(3, FREQUENCIES, heads=HEADS), FEATURES).to(device)
    exact = FLTAttention(WIDTH, HEADS, FourierRPE(3, FREQUENCIES, heads=HEADS), FEATURES, exact=True).to(device)
    exact.load_state_dict(linear.state_dict())
    for n in lengths:
        x, pos = torch.randn(1, n, WIDTH, device=device), torch.rand(1, n, 3, device=device)
        works = {"FLT": lambda x=x, pos=pos: trained(linear, x, pos)}
        if 4 * HEADS * n * n <= most:
            works["softmax"] = lambda x=x, pos=pos: trained(exact, x, pos)
        found = medians(interleaved(works, repeats, device, warm=1, clock=time.process_time))
        for name, value in found.items():
            seconds[name][n] = value
            out[f"N = {n}: {name} ms"] = 1e3 * value
        if "softmax" in found:
            out[f"N = {n}: softmax with bias / FLT"] = found["softmax"] / found["FLT"]
    for name, values in seconds.items():
        if len(values) > 1:
            ends = sorted(values)[-2:]
            rise = math.log(values[ends[1]] / values[ends[0]]) / math.log(ends[1] / ends[0])
            out[f"{name}: exponent of N between {ends[0]} and {ends[1]}"] = rise
    both = sorted(set(seconds["FLT"]) & set(seconds["softmax"]))
    ratios = [(n, seconds["softmax"][n] / seconds["FLT"][n]) for n in both]
    for (n, before), (m, after) in itertools.pairwise(ratios):
        if before < 1 <= after:
            out["crossover N"] = math.exp(
                math.log(n) + math.log(m / n) * math.log(1 / before) / math.log(after / before)
            )
    return out


def against_performer(n: int, repeats: int, device: torch.device) -> dict[str, float | str]:
    """FAVOR+ alone on equal queries, keys and values, and how far the results are apart."""
    try:
        from performer_pytorch import FastAttention
    except ImportError as error:
        return {"performer-pytorch": f"not installed ({error}); see the head of this file"}
    size = WIDTH // HEADS
    q, k, v = torch.randn(3, 1, HEADS, n, size, device=device).mul(0.5)
    peer = FastAttention(dim_heads=size, nb_features=FEATURES).to(device)
    kernel = FavorKernel(HEADS, size, FEATURES).to(device)
    kernel.omega.copy_(peer.projection_matrix.expand(HEADS, -1, -1))

    def ours() -> Tensor:
        phi_k, _ = kernel.keys(k * size**-0.25, causal=False)
        return linear_attention(kernel.queries(q * size**-0.25), phi_k, v)

    def theirs() -> Tensor:
        return peer(q, k, v)

    with torch.no_grad():
        seconds = interleaved({"ours": ours, "theirs": theirs}, repeats, device, clock=time.process_time)
        exact = F.scaled_dot_product_attention(q, k, v)
        apart = {"ours": (ours() - exact).abs().mean(), "performer": (theirs() - exact).abs().mean()}
        between = float((ours() - theirs()).abs().max())
    ratio = statistics.median(a / b for a, b in zip(seconds["theirs"], seconds["ours"], strict=True))
    errors = {f"FAVOR+ at N = {n}: mean error of {name}": float(value) for name, value in apart.items()}
    return {f"FAVOR+ at N = {n}: performer-pytorch / ours": ratio, "largest difference of results": between, **errors}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lengths", type=int, nargs="+", default=[256, 1024, 4096, 16384])
    parser.add_argument("--most-bias", type=float, default=6e8, help="bytes of one N x N bias of all heads")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device(arguments.device)
    results: dict[str, float | str] = dict(
        against_softmax(arguments.lengths, arguments.repeats, arguments.most_bias, device)
    )
    for n in (1024, 4096):
        results |= against_performer(n, arguments.repeats, device)
    print(json.dumps({k: round(v, 4) if isinstance(v, float) else v for k, v in results.items()}, indent=1))


if __name__ == "__main__":
    main()
