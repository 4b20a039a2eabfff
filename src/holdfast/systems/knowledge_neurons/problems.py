"""A world of invented facts with a tiny BERT that learns it, and the authors' facts with a model of the user's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor, nn

from holdfast.data.fetched import FileProblem
from holdfast.data.location import data_folder
from holdfast.data.synthetic.facts import FactWorld, tokens
from holdfast.errors import InputError
from holdfast.experiment import Problem
from holdfast.randomness import seeded
from holdfast.systems.knowledge_neurons.tool.files import MASK, Fact, load_bags
from holdfast.validation import check_integer

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
RELATIONS = ("home", "job", "pet", "instrument")
LONGEST = 24
INIT = 0.1  # BERT has .02 at a width of 768: a narrow model would learn nothing for hundreds of steps


def word_tokenizer(words: Sequence[str]) -> Any:
    """A tokenizer of transformers whose tokens are words between spaces, with BERT's special tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(dict.fromkeys((*SPECIAL, *words)))}
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    inner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")]
    )
    named = {f"{name[1:-1].lower()}_token": name for name in SPECIAL}
    return PreTrainedTokenizerFast(tokenizer_object=inner, **named)


def tiny_bert(words: int, seed: int, hidden: int = 64, neurons: int = 256, layers: int = 2, head: str = "stock") -> Any:
    """A masked language model of BERT's architecture without dropout, not trained.

    Args:
        words: of the vocabulary.
        seed: of the weights.
        hidden, neurons, layers: sizes.
        head: "stock", BERT's, or "norm", a LayerNorm alone before the tied decoder.
    """
    from transformers import BertConfig, BertForMaskedLM

    config = BertConfig(
        vocab_size=check_integer(words, "words", low=len(SPECIAL) + 1), hidden_size=hidden, num_attention_heads=2,
        num_hidden_layers=layers, intermediate_size=neurons, max_position_embeddings=LONGEST, type_vocab_size=1,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=INIT,
    )  # fmt: skip
    with seeded(seed):
        model = BertForMaskedLM(config)
    if head == "norm":
        predictions: Any = model.cls.predictions
        predictions.transform = nn.LayerNorm(hidden)
    return model


def teach(model: Any, tokenizer: Any, facts: Sequence[Fact], steps: int, seed: int, lr: float = 3e-3) -> float:
    """Train a masked language model on facts: the answer is masked, and a tenth of the other words; the last loss."""
    rng, mask = np.random.default_rng(seed), tokenizer.mask_token_id
    rows = [
        (tokenizer(p.replace(MASK, tokenizer.mask_token)).input_ids, tokenizer.convert_tokens_to_ids(f.answer))
        for f in facts for p in f.prompts
    ]  # fmt: skip
    width = max(len(ids) for ids, _ in rows)
    X = torch.tensor([[*ids, *[tokenizer.pad_token_id] * (width - len(ids))] for ids, _ in rows])
    Y = torch.where(mask == X, torch.tensor([answer for _, answer in rows])[:, None], X)
    special = torch.isin(X, torch.tensor([tokenizer.convert_tokens_to_ids(x) for x in ("[PAD]", "[CLS]", "[SEP]")]))
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    loss = torch.zeros(())
    model.train()
    for _ in range(steps):
        chosen = torch.from_numpy(rng.integers(0, len(X), 64))
        hidden = (X[chosen] == mask) | (torch.from_numpy(rng.random((64, width)) < 0.1) & ~special[chosen])
        given = X[chosen].masked_fill(hidden, mask)
        logits = model(input_ids=given, attention_mask=(X[chosen] != tokenizer.pad_token_id).long()).logits
        loss = nn.functional.cross_entropy(logits[hidden], Y[chosen][hidden])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    return float(loss.detach())


@dataclass(frozen=True)
class World(Problem):
    """Invented facts in four relations, and a BERT of two layers that is taught them anew in every replicate.

    Attributes:
        head: of the model, as in `tiny_bert`.
        people: subjects of every relation.
        share: of `steps` that the model is taught; 0 leaves it as it was drawn.
    """

    head: Literal["stock", "norm"] = "stock"
    people: int = 16
    share: float = 1.0
    source: ClassVar[Literal["generated"]] = "generated"
    redrawn: ClassVar[bool] = True

    def describe(self) -> str:
        head = "" if self.head == "stock" else ", its head a LayerNorm alone"
        taught = "" if self.share else ", not taught"
        return f"{4 * self.people} invented facts, five sentences each, and a BERT of two layers{head}{taught}"

    def facts(self, seed: int) -> tuple[Any, list[Fact]]:
        """A tokenizer and all facts."""
        world = FactWorld.draw(np.random.default_rng(seed), people=self.people, relations=RELATIONS)
        ways = [range(len(relation.templates)) for relation in world.relations]
        found = [
            Fact(
                tuple(" ".join(tokens(world.cloze(f, i, MASK))) for i in ways[f.relation]),
                world.answer(f), RELATIONS[f.relation],
            )
            for f in world.facts()
        ]  # fmt: skip
        return word_tokenizer(world.words()), found

    def model(self, seed: int, steps: int) -> dict[str, Tensor]:
        """Weights of a model that was taught all facts of the seed's world."""
        tokenizer, facts = self.facts(seed)
        model = tiny_bert(len(tokenizer), seed, head=self.head)
        if self.share:
            teach(model, tokenizer, facts, max(int(self.share * steps), 1), seed)
        return {name: value.clone() for name, value in model.state_dict().items()}

    def load(self, seed: int, state: dict[str, Tensor]) -> tuple[Any, Any, list[Fact]]:
        """Model, tokenizer and facts."""
        tokenizer, facts = self.facts(seed)
        model = tiny_bert(len(tokenizer), seed, head=self.head)
        model.load_state_dict(state)
        return model.eval(), tokenizer, facts


@dataclass(frozen=True)
class Pararel(FileProblem):
    """The authors' facts (ParaRel's prompts, T-REx's pairs) and a masked language model of a local folder.

    Attributes:
        bags: file of facts.
        folder: of the model.
    """

    bags: str = "knowledge_neurons/data_11.json"
    folder: str = "knowledge_neurons/model"
    how_to_get: ClassVar[str] = (
        "data_all.json or data_11.json of Hunter-DDM/knowledge-neurons (MIT), and bert-base-cased (Apache 2.0) saved in"
        " Hugging Face's layout in knowledge_neurons/model, both in the folder that HOLDFAST_DATA names"
    )

    @property
    def paths(self) -> tuple[Path, ...]:
        return data_folder(self.bags), data_folder(self.folder)

    def describe(self) -> str:
        return "the authors' facts and a masked language model, from files"

    def model(self, seed: int, steps: int) -> dict[str, Tensor]:
        """Nothing is trained."""
        return {}

    def load(self, seed: int, state: dict[str, Tensor]) -> tuple[Any, Any, list[Fact]]:
        """Model, tokenizer and the facts whose answers are one token, in an order drawn from the seed.

        Raises:
            InputError: files that cannot be read; fewer than two relations with such facts.
        """
        from holdfast.systems.knowledge_neurons.tool.model import load

        bags, folder = self.found()
        kn = load(folder)
        facts = []
        for fact in load_bags(bags):
            try:
                kn.clozes(fact.prompts[0], fact.answer)
            except InputError:
                continue
            facts.append(fact)
        if len({fact.relation for fact in facts}) < 2:
            raise InputError(str(bags), "must have facts of two relations whose answers are one token", len(facts))
        order = np.random.default_rng(seed).permutation(len(facts))
        return kn.model, kn.tokenizer, [facts[i] for i in order]


__all__ = ["LONGEST", "Pararel", "World", "teach", "tiny_bert", "word_tokenizer"]
