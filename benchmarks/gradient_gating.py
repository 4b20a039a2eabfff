"""A training step of G2-GraphSAGE against one of torch-geometric's GraphSAGE of equal depth and width: same graph, same
run, medians over repetitions of the ratio of processor times, each of two works done one after the other.

    python benchmarks/gradient_gating.py [--threads 1] [--repeats 20] [--depth 8] [--width 64] [--device cpu]

Needs torch-geometric (pip install 'holdfast[graph]'). Memory is what a forward pass keeps for the backward pass: the
peak of training, but for one layer's temporary tensors.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.layers.graph_convs import graph_conv
from holdfast.layers.node_network import NodeNetwork, PlainLayer, repeated
from holdfast.systems.gradient_gating import G2GNN
from holdfast.testing.timing import Work, interleaved

GRAPHS = {"400 nodes, 2,400 edges": (400, 2_400), "10,000 nodes, 100,000 edges": (10_000, 100_000)}
PEER, OURS = "torch-geometric", "G2, gate of its own"


class Peer(nn.Module):
    """Encoder, SAGEConv layers with relu, decoder."""

    def __init__(self, width: int, depth: int) -> None:
        from torch_geometric.nn import SAGEConv

        super().__init__()
        self.enc, self.dec = nn.Linear(16, width), nn.Linear(width, 5)
        self.convs = nn.ModuleList(SAGEConv(width, width) for _ in range(depth))

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:
        x = torch.relu(self.enc(x))
        for conv in self.convs:
            x = torch.relu(conv(x, edge_index))
        found: Tensor = self.dec(x)
        return found


def network(name: str, width: int, depth: int) -> nn.Module:
    """One of those that are compared."""
    if name == PEER:
        return Peer(width, depth)
    if name == "plain, holdfast":
        layers = repeated(lambda: PlainLayer(graph_conv("sage", width)), depth, share=False)
        return NodeNetwork(16, 5, width, layers, "sage")
    return G2GNN(16, width, 5, depth, "sage", share_weights=False, separate_gate=name == OURS)


NAMES = (PEER, "plain, holdfast", OURS, "G2, shared layer")


def one_step(name: str, nodes: int, edges: int, width: int, depth: int, device: torch.device) -> Work:
    """Forward, backward and update on a random undirected graph."""
    generator = torch.Generator().manual_seed(0)
    half = torch.randint(nodes, (2, edges // 2), generator=generator)
    graph = torch.cat((half, half.flip(0)), 1).to(device)
    x = torch.randn(nodes, 16, generator=generator).to(device)
    y = torch.randint(5, (nodes,), generator=generator).to(device)
    net = network(name, width, depth).to(device)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-5)

    def run() -> None:
        optimizer.zero_grad()
        F.cross_entropy(net(x, graph), y).backward()
        optimizer.step()

    return run


def kept(name: str, nodes: int, edges: int, width: int, depth: int) -> float:
    """Megabytes of tensors that a forward pass keeps, each once."""
    storages: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.layout == torch.strided:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    step = one_step(name, nodes, edges, width, depth, torch.device("cpu"))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        step()
    return sum(storages.values()) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    device, size = torch.device(arguments.device), (arguments.width, arguments.depth)
    results: dict[str, float] = {}
    for graph, counts in GRAPHS.items():
        works = {name: one_step(name, *counts, *size, device) for name in NAMES}
        seconds = interleaved(works, arguments.repeats, device, clock=time.process_time)
        for name in NAMES:
            results[f"{graph}: {name}, ms per step"] = 1e3 * statistics.median(seconds[name])
            pairs = zip(seconds[name], seconds[PEER], strict=True)
            results[f"{graph}: {name} / {PEER}"] = statistics.median(a / b for a, b in pairs)
            results[f"{graph}: {name}, MB kept"] = kept(name, *counts, *size)
    print(json.dumps({name: round(value, 2) for name, value in results.items()}, indent=1))


if __name__ == "__main__":
    main()
