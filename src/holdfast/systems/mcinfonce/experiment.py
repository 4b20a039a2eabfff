"""Does kappa, learned from pairs alone, say how ambiguous an input is, better than what one would use instead?

    holdfast run mcinfonce --scale demo     about four minutes on one core
    holdfast run mcinfonce --scale small    last measured: see ledger/mcinfonce/small.json

Arms share the world, the networks' start and the batches. Phase 1 learns mu with kappa as it starts; phase 2 learns
kappa with mu as it is. Phase 1 is shared by all arms with the same loss there. Every arm may choose among three values
of one setting, by its rank correlation on rows that are in no other part. Signs of the baselines' scores were chosen on
pilots.

A replicate of all arms takes about 55 s of one core; times 24: 1,320 s.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.data.batches import Batches
from holdfast.experiment import (
    Arm,
    Better,
    Differs,
    Experiment,
    Measurement,
    Metric,
    Near,
    NotTestable,
    Run,
    Scalar,
    Scale,
    Tuning,
)
from holdfast.metrics.agreement import best_rotation, pairwise_cosines, rank_correlation, rotated_cosine
from holdfast.randomness import derived_seed, seeded
from holdfast.systems.mcinfonce.method.head import ProbabilisticHead
from holdfast.systems.mcinfonce.method.losses import ELKLoss, HedgedInstanceLoss, MCInfoNCE, PairLoss
from holdfast.systems.mcinfonce.method.vmf import cap_threshold, vmf_mean_resultant
from holdfast.systems.mcinfonce.problems import Cifar10H, CroppedDigits, KnownPosteriors, Pairs, PairWorld, VMFWorld
from holdfast.training import Learner, fit

Source = KnownPosteriors | CroppedDigits | Cifar10H
RANKED = 500  # rows whose pairs are compared


@dataclass(frozen=True)
class Budget(Scale):
    """Training budget.

    Attributes:
        mu_steps, kappa_steps: of the two phases.
        batch: pairs per step.
        samples, negatives: S and M of both phases.
        width: of the networks.
        held_out: rows that are measured.
    """

    mu_steps: int = 400
    kappa_steps: int = 600
    batch: int = 128
    samples: int = 8
    negatives: int = 8
    width: int = 32
    held_out: int = 2000


# --------------------------------------------------------------------------------------------------------- the losses
MakeLoss = Callable[[Source, Budget], PairLoss]


def summed(problem: Source, scale: Budget) -> PairLoss:
    """MCInfoNCE as it is here."""
    return MCInfoNCE(problem.kappa_pos, scale.samples)


def averaged(problem: Source, scale: Budget) -> PairLoss:
    """MCInfoNCE as in the reference code."""
    return MCInfoNCE(problem.kappa_pos, scale.samples, negatives="mean")


def hedged(problem: Source, scale: Budget) -> PairLoss:
    """HIB."""
    return HedgedInstanceLoss(problem.dim, problem.kappa_pos, scale.samples)


def kernel(problem: Source, scale: Budget) -> PairLoss:
    """ELK."""
    return ELKLoss()


class PointLoss(MCInfoNCE):
    """InfoNCE of the directions alone."""

    def of_parts(self, ref: Any, pos: Any, neg: Any, generator: torch.Generator | None) -> Tensor:
        sharp = [None if part is None else (part[0], torch.full_like(part[1], torch.inf)) for part in (ref, pos, neg)]
        return super().of_parts(sharp[0], sharp[1], sharp[2], generator)  # type: ignore[arg-type]


def points(problem: Source, scale: Budget) -> PairLoss:
    """InfoNCE of points."""
    return PointLoss(problem.kappa_pos, 1)


# ------------------------------------------------------------------------------------------------------ what is trained
Pairing = Callable[[Pairs], Pairs]


def as_they_are(pairs: Pairs) -> Pairs:
    """True pairs."""
    return pairs


def shuffled(pairs: Pairs) -> Pairs:
    """Broken: each reference gets the positive of another."""
    return pairs._replace(pos=pairs.pos.roll(1, dims=0))


class OneForAll(ProbabilisticHead):
    """A head whose kappa is one learned number."""

    def one_kappa(self) -> OneForAll:
        """Replace its network of kappa."""
        start = torch.tensor(1.4 * self.kappa_init).log()
        self.kappa_net = nn.ParameterList([nn.Parameter(start)])  # type: ignore[assignment]
        return self

    def kappa(self, x: Tensor) -> Tensor:
        (log_kappa,) = self.kappa_net.parameters()  # type: ignore[union-attr]
        return log_kappa.expand(*x.shape[:-1], 1).exp()


class PairLearner(Learner):
    """A phase: one of the two networks of a head learns, the other stays.

    Args:
        head, world, loss: its parts.
        scale: batch and negatives.
        of_mu: whether mu learns, or kappa.
        lr: of Adam, which falls to 0 along a cosine.
        pairing: what is done to pairs.
    """

    def __init__(
        self, head: ProbabilisticHead, world: PairWorld, loss: PairLoss, scale: Budget, of_mu: bool, lr: float,
        pairing: Pairing = as_they_are,
    ) -> None:  # fmt: skip
        super().__init__()
        self.head, self.pair_loss, self.of_mu, self.lr = head, loss, of_mu, lr
        self.world, self.scale, self.pairing = world, scale, pairing

    def optimizers(self) -> list[torch.optim.Optimizer]:
        net = self.head.mu_net if self.of_mu else self.head.kappa_net
        assert net is not None
        return [torch.optim.Adam([*net.parameters(), *self.pair_loss.parameters()], self.lr)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        pairs = self.pairing(self.world.pairs(self.scale.batch, self.scale.negatives, rng))
        x = torch.cat([pairs.ref[:, None], pairs.pos[:, None], pairs.neg], 1)
        with torch.set_grad_enabled(self.of_mu):
            mu = self.head.direction(x)
        with torch.set_grad_enabled(not self.of_mu):
            kappa = self.head.kappa(x)
        parts = (mu[:, 0], kappa[:, 0], mu[:, 1:2], kappa[:, 1:2], mu[:, 2:], kappa[:, 2:])
        return self.pair_loss(*parts, generator=rng), {}


def _train(learner: PairLearner, steps: int, seed: int, device: str, on_step: Any = None) -> None:
    batches = Batches({"row": torch.arange(2)}, 1, seed)  # pairs are drawn in the loss
    fit(learner, batches, steps=steps, seed=seed, device=device, schedule=cosine, on_step=on_step)


def cosine(progress: float) -> float:
    """From 1 to 0."""
    return float(0.5 * (1 + torch.cos(torch.tensor(torch.pi * progress))))


def fresh(problem: Source, scale: Budget, world: PairWorld, seed: int) -> ProbabilisticHead:
    """Networks at their start; kappa from 16 to 32."""
    with seeded(seed):
        head = ProbabilisticHead(world.features, problem.dim, "network", width=scale.width)
        return head.calibrate(world.rows(1000, torch.Generator().manual_seed(seed), "validation")[0])


def directions(
    problem: Source, scale: Budget, loss: MakeLoss, lr: float, steps: int, world_seed: int, init: int, noise: int,
    device: str = "cpu",
) -> dict[str, Tensor]:  # fmt: skip
    """Phase 1: the state of a head whose mu has learned."""
    world = problem.world(world_seed)
    head = fresh(problem, scale, world, init)
    learner = PairLearner(head, world, loss(problem, scale), scale, of_mu=True, lr=lr)
    _train(learner, steps, noise, device)
    return {name: value.detach().cpu() for name, value in head.state_dict().items()}


# -------------------------------------------------------------------------------------------------------------- arms
@dataclass(frozen=True)
class Probabilistic:
    """Two phases; kappa is the score.

    Attributes:
        first: the loss of phase 1.
        second: that of phase 2.
        lr: of phase 2.
        pairing: of phase 2.
        constant: one kappa for all.
    """

    first: MakeLoss = summed
    second: MakeLoss = summed
    lr: float = 1e-3
    pairing: Pairing = as_they_are
    constant: bool = False

    def head(self, run: Run, world: PairWorld, head: ProbabilisticHead) -> ProbabilisticHead:
        """The trained head, from that of phase 1."""
        if self.constant:
            one = OneForAll(world.features, run.problem.dim, "network", width=run.scale.width)
            one.load_state_dict(head.state_dict())
            head = one.one_kappa()
        learner = PairLearner(
            head, world, self.second(run.problem, run.scale), run.scale, of_mu=False, lr=self.lr, pairing=self.pairing
        )
        _train(learner, run.scale.kappa_steps, derived_seed(run.seed("batches"), "kappa"), run.device, run.step)
        return head

    @torch.no_grad()
    def score(self, head: ProbabilisticHead, x: Tensor, rng: torch.Generator) -> Tensor:
        """kappa (n,)."""
        return head.kappa(x)[:, 0]


@dataclass(frozen=True)
class Score:
    """A score of the head of phase 1, times a sign.

    Attributes:
        first: the loss of phase 1.
        sign: 1 or -1; chosen on pilots.
    """

    first: MakeLoss = summed
    sign: int = 1

    def head(self, run: Run, world: PairWorld, head: ProbabilisticHead) -> ProbabilisticHead:
        return head


@dataclass(frozen=True)
class PreNorm(Score):
    """The length of the embedding of InfoNCE before it is scaled to 1; `lr` of its training."""

    first: MakeLoss = points
    lr: float = 1e-3

    @torch.no_grad()
    def score(self, head: ProbabilisticHead, x: Tensor, rng: torch.Generator) -> Tensor:
        return self.sign * head.mu_net(x).norm(dim=1)


@dataclass(frozen=True)
class Density(Score):
    """Mean cosine to the nearest neighbours, so many, among the rows themselves."""

    neighbours: int = 10

    @torch.no_grad()
    def score(self, head: ProbabilisticHead, x: Tensor, rng: torch.Generator) -> Tensor:
        mu = head.direction(x)
        near = (mu @ mu.T).topk(min(self.neighbours + 1, len(x)), dim=1).values
        return self.sign * near[:, 1:].mean(1)


@dataclass(frozen=True)
class Spread(Score):
    """Length of the mean direction over 16 perturbations of the input; `noise` is their standard deviation."""

    noise: float = 0.05

    @torch.no_grad()
    def score(self, head: ProbabilisticHead, x: Tensor, rng: torch.Generator) -> Tensor:
        draws = torch.randn(16, *x.shape, generator=rng, device=x.device)
        return self.sign * head.direction(x + self.noise * draws).mean(0).norm(dim=1)


# --------------------------------------------------------------------------------------------------------- one trial
def trial(run: Run[Any, Source, Budget]) -> Iterator[Measurement]:
    """Train, and compare with the truth on fresh rows."""
    problem, scale, arm = run.problem, run.scale, run.arm
    steps = scale.mu_steps + (0 if isinstance(arm, Probabilistic) else scale.kappa_steps * (arm.first is points))
    lr = arm.lr if isinstance(arm, PreNorm) else 1e-3
    given: dict[str, Any] = {
        "problem": problem, "scale": replace(scale, kappa_steps=0, arms=None, problems=None), "loss": arm.first,
        "lr": lr, "steps": steps, "world_seed": run.seed("split"), "init": run.seed("init"),
        "noise": derived_seed(run.seed("batches"), "mu"),
    }  # fmt: skip
    state = run.stage("directions", directions, **given)
    world = problem.world(run.seed("split"))
    head = fresh(problem, scale, world, run.seed("init"))
    head.load_state_dict(state)
    head = arm.head(run, world, copy.deepcopy(head)).to(run.device)
    for part, name in (("validation", "validation rank"), ("test", "kappa rank")):
        rng = run.generator(f"{part} rows")
        x, clear = world.rows(scale.held_out, rng, part)
        score = arm.score(head, x, rng)
        yield Scalar(name, rank_correlation(score.cpu(), clear.cpu()))
    if isinstance(world, VMFWorld):
        yield from _against_truth(world, head, x, rng, isinstance(arm, Probabilistic))


@torch.no_grad()
def _against_truth(
    world: VMFWorld, head: ProbabilisticHead, x: Tensor, rng: torch.Generator, with_kappa: bool
) -> Iterator[Measurement]:
    truth, found = world.mu(x), head.direction(x)
    yield Scalar("direction cosine", rotated_cosine(found.cpu(), truth.cpu()))
    few = slice(0, RANKED)
    yield Scalar("pair rank", rank_correlation(pairwise_cosines(found[few].cpu()), pairwise_cosines(truth[few].cpu())))
    if not with_kappa:
        return
    kappa = head.kappa(x)
    apart = vmf_mean_resultant(kappa, world.dim) - vmf_mean_resultant(world.kappa(x), world.dim)
    yield Scalar("mean cosine error", float(apart.abs().mean()))
    turned = F.normalize(found @ torch.as_tensor(best_rotation(found.cpu(), truth.cpu())).to(found), dim=1)
    inside = (world.sample(x, rng) * turned).sum(1) >= cap_threshold(kappa, world.dim)[:, 0]
    yield Scalar("coverage", 100 * float(inside.double().mean()))


# -------------------------------------------------------------------------------------------------- what is declared
KNOWN, DIGITS, CIFAR = "known posteriors", "cropped digits", "CIFAR-10H"
RATES = {"lr": (1e-3, 3e-3, 5e-4)}
BASELINES = ("norm of InfoNCE", "kNN density", "spread under noise")
BEST = "norm of InfoNCE"
ARMS = {
    "MCInfoNCE": Arm(Probabilistic(), space=RATES, about="kappa learned from pairs"),
    "mean form": Arm(
        Probabilistic(averaged, averaged), space=RATES, problems=(KNOWN,), about="negatives averaged, the code"
    ),
    "HIB": Arm(Probabilistic(second=hedged), space=RATES, problems=(KNOWN, CIFAR), about="hedged instances in phase 2"),
    "ELK": Arm(
        Probabilistic(second=kernel), space=RATES, problems=(KNOWN, CIFAR), about="likelihood kernel in phase 2"
    ),
    "constant kappa": Arm(Probabilistic(constant=True, lr=3e-2), problems=(KNOWN,), about="one kappa for all"),
    "norm of InfoNCE": Arm(
        PreNorm(sign=-1), space=RATES, about="minus the length of InfoNCE's embedding; steps of both phases"
    ),
    "kNN density": Arm(
        Density(), space={"neighbours": (10, 30, 100)}, problems=(KNOWN, CIFAR), about="mean cosine to neighbours"
    ),
    "spread under noise": Arm(
        Spread(sign=-1), space={"noise": (0.05, 0.02, 0.1)}, problems=(KNOWN, CIFAR), about="16 perturbations"
    ),
    "shuffled positives": Arm(
        Probabilistic(pairing=shuffled), tuned_as="MCInfoNCE", problems=(KNOWN,),
        about="broken: kappa learns from positives of other rows",
    ),
    "MCInfoNCE, other seeds": Arm(
        Probabilistic(), tuned_as="MCInfoNCE", problems=(KNOWN,), reseed=1, about="control: other start and batches"
    ),
}  # fmt: skip
RANK: dict[str, Any] = {"metric": "kappa rank", "on": KNOWN}
CLAIMS = (
    Better(
        "MCInfoNCE", than=BEST, margin=0.2, role="headline", **RANK,
        scope="generated worlds with known posteriors on the sphere of 3 dimensions, 6 inputs; 600 steps for kappa",
        published="none; the paper says: recovers the true posteriors up to a rotation",
        source="abstract",
    ),
    Better("shuffled positives", than=BEST, margin=0.2, role="control", expect="not found", **RANK),
    Differs("MCInfoNCE", "MCInfoNCE, other seeds", role="control", expect="not found", **RANK),
    *(Better("MCInfoNCE", than=name, margin=0.2, **RANK) for name in BASELINES if name != BEST),
    Better("MCInfoNCE", than="HIB", **RANK),
    Better("MCInfoNCE", than="ELK", **RANK),
    Better("MCInfoNCE", than="mean form", metric="direction cosine", on=KNOWN, margin=0.05),
    Better("constant kappa", than="MCInfoNCE", metric="mean cosine error", on=KNOWN,
           text="one kappa for all is nearer to the true mean cosines than MCInfoNCE's"),
    Near("MCInfoNCE", to=95.0, margin=3.0, metric="coverage", on=KNOWN,
         text="95 % credible caps hold the true z in 92 to 98 % of cases"),
    Better("MCInfoNCE", than=0.4, metric="kappa rank", on=DIGITS,
           text="kappa's rank correlation with the size of the window is above .4",
           published="none; the paper says: kappa correlates with crop size", source="from memory"),
    NotTestable("kappa correlates with the entropy of people's labels on CIFAR-10H, best among MCInfoNCE, ELK, HIB",
                reason="the images are not here; the loader is tested and the preset is there"),
)  # fmt: skip
experiment = Experiment(
    question="Does kappa, learned from pairs alone, say how ambiguous an input is, better than what one would use?",
    problems={KNOWN: KnownPosteriors(), DIGITS: CroppedDigits(), CIFAR: Cifar10H()},
    arms=ARMS,
    metrics={
        "kappa rank": Metric(about="Spearman's correlation of the score with the true kappa (digits: window's side)"),
        "validation rank": Metric(about="the same on rows set aside for tuning"),
        "direction cosine": Metric(about="mean cosine of mu and the true one after the best rotation"),
        "pair rank": Metric(about="Spearman's correlation of the cosines of pairs of rows with the true ones"),
        "mean cosine error": Metric(higher_is_better=False, about="mean distance of A(kappa) from the true one"),
        "coverage": Metric("%", about="true z inside the 95 % credible cap"),
    },
    scales={
        "smoke": Budget(mu_steps=2, kappa_steps=2, batch=8, width=8, held_out=50, replicates=1, problems=(KNOWN,),
                        arms=("MCInfoNCE", "HIB", "ELK", *BASELINES)),
        "pilot": Budget(mu_steps=400, kappa_steps=200, replicates=2, problems=(KNOWN,)),
        "demo": Budget(problems=(KNOWN,), arms=("MCInfoNCE", BEST, "shuffled positives")),
        "small": Budget(problems=(KNOWN, DIGITS)),
        "full": Budget(mu_steps=50_000, kappa_steps=50_000, samples=128, negatives=32, width=500, problems=(CIFAR,),
                       arms=("MCInfoNCE", "HIB", "ELK", *BASELINES), slow=True, status="not yet run"),
    },
    claims=CLAIMS,
    trial=trial,
    tuning=Tuning("validation rank", problem=KNOWN, configurations=3, pilots=2, scale="pilot"),
    benefit="kappa rank",
)  # fmt: skip
