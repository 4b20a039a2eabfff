"""HCSC: k-means against faiss and MiniBatchKMeans, and a training step against MoCo's: same run, medians.

    python benchmarks/hcsc.py [--threads 1] [--repeats 3]          needs faiss: pip install 'holdfast[index]'

k-means: 20,000 rows of 64 numbers, 300 clusters, 20 rounds, one start; MiniBatchKMeans does less work by design, so the
mean squared distance stands beside the time. A step: batch 128 of colour images, the small network, a queue of 4,096,
levels of 240, 60 and 15; the tree is made before, as once a pass.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans
from threadpoolctl import threadpool_limits

from holdfast.baselines.moco import MoCo
from holdfast.data.augment import Shift
from holdfast.data.batches import Batches
from holdfast.layers.conv_features import ConvFeatures
from holdfast.retrieval.faiss_index import faiss_library
from holdfast.retrieval.kmeans import kmeans, nearest
from holdfast.systems.hcsc import HCSCLearner
from holdfast.testing.timing import interleaved, medians

ROWS, DIM, CLUSTERS = 20_000, 64, 300


def clusterings(x: torch.Tensor) -> dict[str, Callable[[], torch.Tensor]]:
    """Name -> what makes centroids."""
    faiss, rows = faiss_library(), x.numpy()

    def of_faiss() -> torch.Tensor:
        made = faiss.Kmeans(DIM, CLUSTERS, niter=20, nredo=1, seed=0, max_points_per_centroid=ROWS)
        made.train(rows)
        return torch.from_numpy(made.centroids)

    def mini() -> torch.Tensor:
        made = MiniBatchKMeans(CLUSTERS, max_iter=20, n_init=1, random_state=0).fit(rows)
        return torch.from_numpy(made.cluster_centers_)

    return {"faiss": of_faiss, "holdfast": lambda: kmeans(x, CLUSTERS, n_init=1)[0], "MiniBatchKMeans": mini}


def steps(kind: str, side: int, count: int) -> Callable[[], None]:
    """`count` training steps of a learner that is ready."""
    torch.manual_seed(0)
    images = Batches({"x": torch.rand(1200, 3, side, side)}, 128, index="index")
    encoder, view = ConvFeatures(3), Shift(4)
    if kind == "MoCo":
        learner: MoCo = MoCo(encoder, view, queue=4096)
    else:
        learner = HCSCLearner(encoder, view, n_clusters=(240, 60, 15), warmup=0, n_init=1, queue=4096)
        learner.before_epoch(images)
    (optimizer,), rng = learner.optimizers(), torch.Generator().manual_seed(0)

    def run() -> None:
        for _ in range(count):
            optimizer.zero_grad()
            learner.loss(next(images), rng)[0].backward()
            optimizer.step()
            with torch.no_grad():
                learner.after_step()

    return run


def main() -> None:
    """Print seconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(400, DIM))[rng.integers(0, 400, ROWS)] + 0.5 * rng.normal(size=(ROWS, DIM)))
    x = torch.nn.functional.normalize(x.float(), dim=1)
    out = {}
    with threadpool_limits(asked.threads):
        faiss_library().omp_set_num_threads(asked.threads)
        runs = clusterings(x)
        times = medians(interleaved(runs, asked.repeats))
        off = {name: float(nearest(x, make())[1].mean()) for name, make in runs.items()}
        out["k-means"] = {n: {"s": t, "ratio": t / times["faiss"], "distance": off[n]} for n, t in times.items()}
        for side in (32, 64):
            times = medians(interleaved({kind: steps(kind, side, 10) for kind in ("MoCo", "HCSC")}, asked.repeats))
            out[f"ten steps, side {side}"] = {name: {"s": t, "ratio": t / times["MoCo"]} for name, t in times.items()}
    print(json.dumps(out, indent=1))


if __name__ == "__main__":
    main()
