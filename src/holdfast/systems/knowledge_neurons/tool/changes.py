"""Edits of a model's value vectors that can be taken back to the bit, saved, and judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from holdfast.errors import InputError
from holdfast.files import replacing
from holdfast.systems.knowledge_neurons.method import edits as method
from holdfast.systems.knowledge_neurons.method.attribution import Neuron
from holdfast.systems.knowledge_neurons.tool.files import Fact
from holdfast.systems.knowledge_neurons.tool.model import KnowledgeNeurons
from holdfast.validation import check_choice, check_number

Direction = Literal["embedding", "gradient"]
NEIGHBOURS = 5  # facts of a relation, and of others, that an edit is judged by


@dataclass(eq=False)
class WeightEdit:
    """New value vectors of some neurons, written into a model.

    Attributes:
        kn: the model.
        neurons: k of them.
        before, after: (k, h) value vectors, in the type of the weights.
        applied: whether the model has the new ones now.

    `revert` puts the old numbers themselves back: adding and subtracting would leave a residue.
    """

    kn: KnowledgeNeurons
    neurons: list[Neuron]
    before: Tensor
    after: Tensor
    applied: bool = field(default=False)

    def apply(self) -> WeightEdit:
        """Write the new vectors."""
        self._write(self.after)
        self.applied = True
        return self

    def revert(self) -> None:
        """Write the old vectors: the state is what it was, bit by bit."""
        self._write(self.before)
        self.applied = False

    def __enter__(self) -> WeightEdit:
        return self

    def __exit__(self, *exception: object) -> None:
        self.revert()

    @torch.no_grad()
    def _write(self, vectors: Tensor) -> None:
        for (layer, place), vector in zip(self.neurons, vectors, strict=True):
            self.kn.layers[layer].values[place] = vector.to(self.kn.device)

    def save(self, path: str | Path) -> None:
        """The changed vectors alone, old and new, as safetensors."""
        from safetensors.torch import save_file

        with replacing(Path(path)) as temporary:
            save_file(
                {
                    "neurons": torch.tensor(self.neurons, dtype=torch.int64).reshape(-1, 2),
                    "before": self.before.cpu().contiguous(),
                    "after": self.after.cpu().contiguous(),
                },
                str(temporary),
            )

    @classmethod
    def load(cls, path: str | Path, kn: KnowledgeNeurons) -> WeightEdit:
        """An edit of a file, not applied yet.

        Raises:
            InputError: another file; a model whose vectors are not those that were edited.
        """
        from safetensors.torch import load_file

        try:
            found = load_file(str(path))
            neurons = [(int(layer), int(place)) for layer, place in found["neurons"]]
            before, after = found["before"].to(kn.device), found["after"].to(kn.device)
        except Exception as error:  # noqa: BLE001  a damaged file raises anything, down to the Rust of safetensors
            raise InputError("path", "must be an edit as `WeightEdit.save` writes it", f"{path}: {error}") from None
        if not _has(kn, neurons) or not torch.equal(vectors_of(kn, neurons), before):
            raise InputError("path", "must be an edit of this model as it is now", str(path))
        return cls(kn, neurons, before, after)


def _has(kn: KnowledgeNeurons, neurons: Sequence[Neuron]) -> bool:
    return all(0 <= layer < kn.shape[0] and 0 <= place < kn.shape[1] for layer, place in neurons)


def vectors_of(kn: KnowledgeNeurons, neurons: Sequence[Neuron]) -> Tensor:
    """A copy (k, h) of value vectors.

    Raises:
        InputError: no neurons; some that the model does not have.
    """
    if not neurons or not _has(kn, neurons):
        raise InputError("neurons", f"must be some of the model's {kn.shape[0]} layers of {kn.shape[1]}", list(neurons))
    return torch.stack([kn.layers[layer].values[place].detach().clone() for layer, place in neurons])


def update(
    kn: KnowledgeNeurons, fact: Fact, neurons: Sequence[Neuron], new_answer: str, lam1: float = method.LAM1,
    lam2: float = method.LAM2, *, normalize: bool = True, direction: Direction = "embedding",
) -> WeightEdit:  # fmt: skip
    """Write another answer into a fact's neurons; the edit is applied.

    Args:
        kn: the model.
        fact: whose answer is to change.
        neurons: its knowledge neurons.
        new_answer: one token.
        lam1, lam2, normalize: of `edited_values`.
        direction: "embedding", the word's own as in the paper, or "gradient", d log P(answer) / d output of the last
            feed-forward layer, which takes the head into account.

    Raises:
        InputError: no neurons; an answer that is not one token; settings out of range.

    Source: section 5.1; "gradient" is ours.
    """
    check_choice(direction, ("embedding", "gradient"), "direction")
    for name, value in (("lam1", lam1), ("lam2", lam2)):
        check_number(value, name, low=0)
    before = vectors_of(kn, neurons)
    answers = (fact.answer, new_answer)
    tokens = []
    for answer in answers:
        clozes = kn.clozes(fact.prompts[0], answer)
        if len(clozes) > 1:
            raise InputError("new_answer", "must be one token, and the old answer too", answer)
        tokens.append(clozes[0].target)
    if direction == "embedding":
        old, new = kn.model.get_input_embeddings().weight.detach()[tokens]
    else:
        old, new = (_gradient(kn, fact, answer) for answer in answers)
    if old.numel() != before.shape[1]:
        raise InputError("direction", "must be 'gradient' where embeddings are of another width", direction)
    after = method.edited_values(before.float(), old.float(), new.float(), lam1, lam2, normalize=normalize)
    return WeightEdit(kn, list(neurons), before, after.to(before.dtype)).apply()


def _gradient(kn: KnowledgeNeurons, fact: Fact, answer: str) -> Tensor:
    """d mean log P(answer) / d what the last feed-forward layer writes at the answer: (h,)."""
    clozes = [kn.clozes(prompt, answer)[0] for prompt in fact.prompts]
    kept: dict[str, Tensor] = {}

    def hook(module: Any, given: Any, output: Tensor) -> Tensor:
        kept["output"] = output.detach().requires_grad_()
        return kept["output"]

    handle = kn.layers[-1].projection.register_forward_hook(hook)
    try:
        gold = kn.gold(clozes)
    finally:
        handle.remove()
    (gradient,) = torch.autograd.grad(gold.log().mean(), kept["output"])
    return gradient.sum((0, 1))


def erase(kn: KnowledgeNeurons, neurons: Sequence[Neuron], value: Literal["zero", "unk"] = "zero") -> WeightEdit:
    """Set value vectors to 0, or to the embedding of the unknown word; the edit is applied. Section 5.2.

    Raises:
        InputError: no neurons; a model without an unknown word.
    """
    check_choice(value, ("zero", "unk"), "value")
    before = vectors_of(kn, neurons)
    after = torch.zeros_like(before)
    if value == "unk":
        if kn.tokenizer.unk_token_id is None:
            raise InputError("value", "must be 'zero' for a model without an unknown word", value)
        after = after + kn.model.get_input_embeddings().weight.detach()[kn.tokenizer.unk_token_id].to(after)
    return WeightEdit(kn, list(neurons), before, after).apply()


@torch.no_grad()
def evaluate_edit(
    edit: WeightEdit, fact: Fact, new_answer: str, facts: Sequence[Fact], neighbours: int = NEIGHBOURS
) -> dict[str, float]:
    """How an applied edit did; the model has the edit afterwards as before.

    Args:
        edit: of `update`.
        fact: that was edited.
        new_answer: what it should say.
        facts: among which the neighbours are: the first ones of the same relation, and of others.
        neighbours: how many of each.

    Returns:
        change, success, top5: % of the prompts that were right before whose prediction is no longer the old answer,
        is the new one, has it among the first five (NaN where none was right); intra, inter: rise of the perplexity of
        facts of the same and of other relations (NaN without such facts). Section 5.1.
    """
    kn = edit.kn
    old, new = ([kn.clozes(p, answer)[0] for p in fact.prompts] for answer in (fact.answer, new_answer))
    others = [f for f in facts if f != fact]
    groups = {
        "intra": [f for f in others if f.relation == fact.relation][:neighbours],
        "inter": [f for f in others if f.relation != fact.relation][:neighbours],
    }

    def state() -> tuple[Tensor, dict[str, float]]:
        perplexities = {
            name: method.perplexity(torch.cat(kn.probabilities(some))) if some else math.nan
            for name, some in groups.items()
        }
        return kn.log_softmax(old).topk(5, -1).indices, perplexities

    edited, after = state()
    edit.revert()
    plain, before = state()
    edit.apply()
    right = plain[:, 0].cpu() == torch.tensor([c.target for c in old])
    edited, wanted = edited.cpu()[right], torch.tensor([c.target for c in new])[right]
    found = {name: after[name] - before[name] for name in groups}
    was = torch.tensor([c.target for c in old])[right]
    rates = {
        "change": edited[:, 0] != was,
        "success": edited[:, 0] == wanted,
        "top5": (edited == wanted[:, None]).any(1),
    }
    return {n: 100 * float(x.double().mean()) if len(x) else math.nan for n, x in rates.items()} | found


__all__ = ["WeightEdit", "erase", "evaluate_edit", "update", "vectors_of"]
