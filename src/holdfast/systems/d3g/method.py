"""D3G (arXiv 2302.02609): one head per training domain, mixed for a new domain by how related it is to each.

An encoder e is shared; head h_d answers for domain d: f_d(x) = h_d(e(x)).

    L      = L_pred + lambda L_rel
    L_pred = mean of loss(f_d(x), y) over examples (x, y) of domain d                      the own head
    L_rel  = mean of loss(sum_{j != d} a_dj f_j(x) / sum_{k != d} a_dk, y)                  all heads but the own
    a_ij   = beta a^g_ij + (1 - beta) a^l_ij
    a^g    = a graph's edges, exp(-|m_i - m_j|^2 / sigma^2), or scores that somebody gives
    a^l_ij = mean over R heads of max(0, cos(w_r * g(m_i), w_r * g(m_j)))                   g: two layers
    f_t(x) = sum_i a_ti f_i(x) / sum_k a_tk                                                 a domain never seen

No reference code is public and the paper leaves some things open; here
- a cosine below 0 is 0, in each head before their mean;
- a domain related to no other is left out of L_rel, which divides by the number of examples that are not; a new domain
  that is related to no training domain gets the plain mean of all heads;
- outputs are mixed as logits, or as probabilities (`space="probs"`);
- g and w learn by L_rel alone, so that lambda = 0 with beta < 1 would leave them random: that is refused;
- sigma is the median distance of a training domain to its nearest where nobody gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from holdfast.errors import InputError
from holdfast.graphs.neighbours import nearest_spacing
from holdfast.losses.per_example import LossFn, cross_entropy
from holdfast.training.learner import Learner, Parts

Space = Literal["logits", "probs"]
TINY = 1e-30


# --------------------------------------------------------------------------------------------------------------- heads
class MultiHead(nn.Module):
    """A linear head for each of K domains, as one layer with K * C outputs.

    Args:
        in_features: D, width of the encoder's output.
        num_domains: K.
        out_features: C, classes or numbers to predict.

    Example:
        >>> heads = MultiHead(8, num_domains=3, out_features=2)
        >>> z, domain = torch.randn(5, 8), torch.tensor([0, 2, 1, 1, 0])
        >>> heads(z).shape, bool(torch.allclose(heads(z)[range(5), domain], heads.select(z, domain), atol=1e-6))
        (torch.Size([5, 3, 2]), True)
    """

    def __init__(self, in_features: int, num_domains: int, out_features: int) -> None:
        super().__init__()
        self.num_domains, self.out_features = num_domains, out_features
        self.linear = nn.Linear(in_features, num_domains * out_features)

    def forward(self, z: Tensor) -> Tensor:
        """What every head makes of z (B, D): (B, K, C)."""
        return self.linear(z).unflatten(1, (self.num_domains, self.out_features))

    def select(self, z: Tensor, domain: Tensor) -> Tensor:
        """What the named heads alone make of z (B, D): (B, C) for domain (B,), (B, m, C) for domain (B, m)."""
        weight = self.linear.weight.unflatten(0, (self.num_domains, self.out_features))[domain]
        bias = self.linear.bias.unflatten(0, (self.num_domains, self.out_features))[domain]
        return torch.einsum("b...cd,bd->b...c", weight, z) + bias

    def collapse(self, weights: Tensor) -> nn.Linear:
        """The heads mixed once for all with weights (K,): the same as mixing their outputs, for linear heads exactly.

        Example:
            >>> heads, z, a = MultiHead(8, 3, 2), torch.randn(5, 8), torch.tensor([1.0, 0.0, 3.0])
            >>> bool(torch.allclose(heads.collapse(a)(z), mix_heads(heads(z), a.expand(5, 3)), atol=1e-6))
            True
        """
        share = normalised(weights)
        mixed = nn.Linear(self.linear.in_features, self.out_features).to(self.linear.weight)
        shape = (self.num_domains, self.out_features)
        with torch.no_grad():
            mixed.weight.copy_(torch.einsum("k,kcd->cd", share, self.linear.weight.unflatten(0, shape)))
            mixed.bias.copy_(share @ self.linear.bias.unflatten(0, shape))
        return mixed


# ----------------------------------------------------------------------------------------------------------- relations
def relation_from_distance(metadata: Tensor, sigma: float | None = None, other: Tensor | None = None) -> Tensor:
    """a^g_ij = exp(-|m_i - m_j|^2 / sigma^2), in (0, 1].

    Args:
        metadata: (N, m).
        sigma: distance at which the relation is 1/e; None = `nearest_spacing` of `other`.
        other: (K, m), the domains of the columns; None = those of the rows.

    Returns:
        (N, K).

    Example:
        >>> relation_from_distance(torch.tensor([[0.0], [1.0]]), sigma=1.0)
        tensor([[1.0000, 0.3679],
                [0.3679, 1.0000]])
    """
    columns = metadata if other is None else other
    width = nearest_spacing(columns) if sigma is None else sigma
    difference = metadata[:, None] - columns[None]
    return torch.exp(-difference.square().sum(-1) / width**2)


def relation_from_graph(adjacency: Tensor) -> Tensor:
    """a^g of a graph: the weights of its edges (N, N), float32, without the diagonal."""
    relation = adjacency.float().clone()
    return relation.fill_diagonal_(0)


class LearnedRelation(nn.Module):
    """a^l_ij = mean over heads r of max(0, cos(w_r * g(m_i), w_r * g(m_j))).

    Args:
        meta_dim: width of the metadata.
        hidden: width of g's two layers.
        heads: R.
    """

    def __init__(self, meta_dim: int, hidden: int = 32, heads: int = 2) -> None:
        super().__init__()
        self.g = nn.Sequential(nn.Linear(meta_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden))
        self.w = nn.Parameter(1 + 0.1 * torch.randn(heads, hidden))

    def forward(self, metadata: Tensor, other: Tensor) -> Tensor:
        """(N, m) and (K, m) -> (N, K) in [0, 1]."""
        one = F.normalize(self.w[:, None] * self.g(metadata)[None], dim=-1)
        two = F.normalize(self.w[:, None] * self.g(other)[None], dim=-1)
        return (one @ two.transpose(1, 2)).clamp(min=0, max=1).mean(0)


def combined_relation(fixed: Tensor, learned: Tensor | None, beta: float) -> Tensor:
    """a = beta a^g + (1 - beta) a^l."""
    return fixed if learned is None else beta * fixed + (1 - beta) * learned


def top_relations(relation: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` largest of each row of (N, K): their values and their columns, (N, count) each."""
    values, index = relation.topk(min(count, relation.shape[1]), dim=1)
    return values, index


def without_self(relation: Tensor) -> Tensor:
    """A relation of domains (K, K) whose diagonal is 0: no domain is its own relative."""
    return relation.masked_fill(torch.eye(len(relation), dtype=torch.bool, device=relation.device), 0)


def normalised(weights: Tensor) -> Tensor:
    """Rows (..., K) that sum to 1, however small they are; a row of zeros becomes 1/K."""
    peak = weights.detach().amax(-1, keepdim=True)
    lifted = torch.where(peak < TINY, weights / peak.clamp(min=torch.finfo(weights.dtype).tiny), weights)
    total = lifted.sum(-1, keepdim=True)
    return torch.where(total > 0, lifted / total.clamp(min=TINY), 1 / weights.shape[-1])


# -------------------------------------------------------------------------------------------------------------- mixing
def mix_heads(
    outputs: Tensor, weights: Tensor, space: Space = "logits", empty: Literal["uniform", "error"] = "uniform"
) -> Tensor:
    """The weighted mean of what heads say.

    Args:
        outputs: (B, K, C) logits or numbers.
        weights: (B, K), at least 0; the size of a row does not matter.
        space: "logits" (and for regression), or "probs": the mean of the heads' probabilities, given back as their
            logarithms, of which softmax gives the probabilities again.
        empty: what a row of zeros means: "uniform" weights, or an "error".

    Returns:
        (B, C).

    Raises:
        InputError: a row of zeros, with `empty="error"`.

    Example:
        >>> outputs = torch.tensor([[[2.0, 0.0], [0.0, 4.0]]])
        >>> mix_heads(outputs, torch.tensor([[1.0, 3.0]])).tolist(), mix_heads(outputs, torch.zeros(1, 2)).tolist()
        ([[0.5, 3.0]], [[1.0, 2.0]])
    """
    if empty == "error" and not bool((weights.sum(1) > 0).all()):
        row = int((weights.sum(1) <= 0).int().argmax())
        raise InputError("weights", "must relate every row to some domain", f"only zeros in row {row}")
    share = normalised(weights)[..., None]
    if space == "logits":
        return (share * outputs).sum(1)
    return (share * outputs.softmax(-1)).sum(1).clamp(min=TINY).log()


def masked_mean(losses: Tensor, kept: Tensor) -> Tensor:
    """Mean of the losses (B,) that are kept; 0 where none is."""
    return (losses * kept).sum() / kept.sum().clamp(min=1)


def relation_consistency_loss(
    outputs: Tensor, y: Tensor, domain: Tensor, relation: Tensor, loss_fn: LossFn, space: Space = "logits"
) -> Tensor:
    """L_rel: the heads of the other domains, weighted by relation, answer for an example; the own head does not.

    Args:
        outputs: (B, K, C) of all heads.
        y: (B,) classes, or (B, C) numbers.
        domain: (B,) int64, the domain of each example.
        relation: (K, K), at least 0. Its diagonal is not used.
        loss_fn: `cross_entropy` or `squared_error`, a loss per example.
        space: see `mix_heads`.

    Returns:
        The mean over examples whose domain is related to another, of shape (); 0 if there is none.

    Example:
        >>> outputs, y = torch.randn(4, 2, 3), torch.tensor([0, 1, 2, 0])
        >>> loss = relation_consistency_loss(outputs, y, y * 0, torch.ones(2, 2), cross_entropy)
        >>> bool(torch.isclose(loss, F.cross_entropy(outputs[:, 1], y)))
        True
    """
    weights = without_self(relation)[domain]
    losses = loss_fn(mix_heads(outputs, weights, space), y)
    return masked_mean(losses, (weights.sum(1) > 0).to(losses))


# ------------------------------------------------------------------------------------------------------------- learner
@dataclass(frozen=True)
class D3GSettings:
    """Settings of the training.

    Attributes:
        lam: lambda, weight of L_rel, at least 0.
        beta: share of the fixed relation, in [0, 1]; the rest is learned.
        space: in which outputs are mixed, "logits" or "probs".
        related: only so many heads, those most related, answer in L_rel and in predictions; None = all. For thousands
            of domains.
        hidden, relation_heads: of `LearnedRelation`.
        lr: of Adam.
        weight_decay: of Adam.

    Raises:
        InputError: lam = 0 with beta < 1: the learned relation would stay random.
    """

    lam: float = 0.5
    beta: float = 1.0
    space: Space = "logits"
    related: int | None = None
    hidden: int = 32
    relation_heads: int = 2
    lr: float = 2e-3
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        if self.lam == 0 and self.beta < 1:
            rule = "must be above 0 where beta is below 1: the learned relation would stay random"
            raise InputError("lam", rule, f"0 with beta {self.beta:g}")


class D3GLearner(Learner):
    """Encoder, heads and relation; batches hold "x", "y" and "domain" (int64 in [0, K)).

    Args:
        encoder: (B, ...) -> (B, D).
        heads: of the K training domains.
        fixed: (K, K) a^g between training domains.
        settings: of the training.
        loss_fn: `cross_entropy` or `squared_error`.
        metadata: (K, m); needed where beta < 1.
    """

    fixed: Tensor
    metadata: Tensor | None

    def __init__(
        self,
        encoder: nn.Module,
        heads: MultiHead,
        fixed: Tensor,
        settings: D3GSettings,
        loss_fn: LossFn = cross_entropy,
        metadata: Tensor | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.heads, self.settings, self.loss_fn = encoder, heads, settings, loss_fn
        self.register_buffer("fixed", without_self(fixed.float()))
        self.register_buffer("metadata", metadata)
        self.learned: LearnedRelation | None = None
        if settings.beta < 1:
            if metadata is None:
                raise InputError("metadata", "must be given where beta is below 1", "none")
            self.learned = LearnedRelation(metadata.shape[1], settings.hidden, settings.relation_heads)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        s = self.settings
        return [torch.optim.Adam(self.parameters(), lr=s.lr, weight_decay=s.weight_decay)]

    def loss(self, batch: dict[str, Tensor], rng: torch.Generator) -> tuple[Tensor, Parts]:
        z, y, domain = self.encoder(batch["x"]), batch["y"], batch["domain"]
        s = self.settings
        if s.lam == 0:
            own = self.loss_fn(self.heads.select(z, domain), y).mean()
            return own, {"own": own}
        relation = self.training_relation()
        if s.related is None:
            outputs = self.heads(z)
            index = domain[:, None, None].expand(-1, 1, outputs.shape[2])
            own = self.loss_fn(outputs.gather(1, index).squeeze(1), y).mean()
            others = relation_consistency_loss(outputs, y, domain, relation, self.loss_fn, s.space)
        else:
            own = self.loss_fn(self.heads.select(z, domain), y).mean()
            weights, columns = top_relations(relation, s.related)
            mixed = mix_heads(self.heads.select(z, columns[domain]), weights[domain], s.space)
            losses = self.loss_fn(mixed, y)
            others = masked_mean(losses, (weights[domain].sum(1) > 0).to(losses))
        return own + s.lam * others, {"own": own, "others": others}

    def training_relation(self) -> Tensor:
        """a between training domains (K, K), with a diagonal of 0; carries a gradient where it is learned."""
        learned = None
        if self.learned is not None and self.metadata is not None:
            learned = self.learned(self.metadata, self.metadata)
        return without_self(combined_relation(self.fixed, learned, self.settings.beta))

    @torch.no_grad()
    def relation_to(self, fixed: Tensor, metadata: Tensor | None = None) -> Tensor:
        """a of new domains (N, K), from a^g to each training domain (N, K) and, where some is learned, metadata."""
        learned = None
        if self.learned is not None and self.metadata is not None and metadata is not None:
            learned = self.learned(metadata, self.metadata)
        relation = combined_relation(fixed, learned, self.settings.beta)
        if self.settings.related is not None:
            values, index = top_relations(relation, self.settings.related)
            relation = torch.zeros_like(relation).scatter(1, index, values)
        return relation

    def weights(self, fixed: Tensor, metadata: Tensor | None = None) -> Tensor:
        """The weights of the heads for new domains (N, K), arguments as in `relation_to`: rows sum to 1."""
        return normalised(self.relation_to(fixed, metadata))

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Outputs (B, C) with weights (B, K) of the heads."""
        return mix_heads(self.heads(self.encoder(x)), weights, self.settings.space)


__all__ = [
    "D3GLearner",
    "D3GSettings",
    "LearnedRelation",
    "MultiHead",
    "combined_relation",
    "masked_mean",
    "mix_heads",
    "normalised",
    "relation_consistency_loss",
    "relation_from_distance",
    "relation_from_graph",
    "top_relations",
    "without_self",
]
