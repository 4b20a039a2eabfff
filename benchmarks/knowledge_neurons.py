"""Attribution of all neurons for several prompts: ours against EleutherAI's package, same model, same points.

    pip install --no-deps knowledge-neurons captum einops
    python benchmarks/knowledge_neurons.py [--repeats 3]

A BERT of four layers that knows nothing (attribution takes as long whatever it knows), 16 prompts of a few lengths, 20
points a layer, with both ends as the package has them. The package takes one prompt and one layer at a time. How far
its numbers and captum's are from ours is printed too; once with a small vocabulary, once with one as large as BERT's.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from typing import Any

import torch
from torch import Tensor

from holdfast.systems.knowledge_neurons import KnowledgeNeurons, integrated_gradients
from holdfast.systems.knowledge_neurons.problems import World, tiny_bert, word_tokenizer
from holdfast.testing.timing import interleaved, medians

PROMPTS = 16
BERTS = 30_522  # words of bert-base-uncased


def captums(kn: KnowledgeNeurons, prompt: str, answer: str) -> str:
    """The largest difference from captum's integrated gradients in the last layer, by rule."""
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        return f"captum is not installed ({error})"
    cloze = kn.clozes(prompt, answer)[0]
    a = kn.neurons([cloze])[0][:, -1]

    def probability(points: Tensor) -> Tensor:
        def change(place: int, given: Tensor, positions: Tensor) -> Tensor | None:
            if place < len(kn.layers) - 1:
                return None
            return given.detach().index_put((torch.arange(len(given)), positions), points)

        return kn.gold([cloze] * len(points), change)

    found = []
    for rule, theirs in (("left", "riemann_left"), ("right", "riemann_right"), ("midpoint", "riemann_middle")):
        wanted = IntegratedGradients(probability).attribute(a, baselines=0 * a, n_steps=20, method=theirs)
        ours = integrated_gradients(lambda s: probability(s.flatten(0, 1)).view(s.shape[:2]), a, 20, rule)  # type: ignore[arg-type]
        found.append(f"{rule} {float((ours - wanted).abs().max() / wanted.abs().max()):.0e}")
    return "largest relative difference from captum: " + ", ".join(found)


def main() -> None:
    """Print seconds, the ratio and the differences."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    tokenizer, facts = World().facts(0)
    asked = [(p, fact.answer) for fact in facts for p in fact.prompts][:PROMPTS]
    for words in (len(tokenizer), BERTS):
        more = [f"word{i}" for i in range(words - len(tokenizer))]
        compare(word_tokenizer([*sorted(tokenizer.vocab, key=tokenizer.vocab.get), *more]), asked, repeats)


def compare(tokenizer: Any, asked: list[tuple[str, str]], repeats: int) -> None:
    """One vocabulary."""
    model = tiny_bert(len(tokenizer), 0, hidden=128, neurons=512, layers=4)
    kn = KnowledgeNeurons(model, tokenizer, steps=20, rule="ends")
    print(captums(kn, *asked[0]))
    try:
        from knowledge_neurons import KnowledgeNeurons as Theirs
    except ImportError as error:
        print(f"EleutherAI's package is not installed ({error}): nothing to compare with")
        return
    tokenizer.model_input_names = ["input_ids", "attention_mask", "token_type_ids"]  # the package asks for all three
    peer = Theirs(model, tokenizer, model_type="bert", device="cpu")

    def ours() -> Tensor:
        return kn.scores([kn.clozes(prompt, answer)[0] for prompt, answer in asked])

    def theirs(batch: int) -> Tensor:
        texts = [(prompt.replace("{mask}", tokenizer.mask_token), answer) for prompt, answer in asked]
        each = [peer.get_scores(text, answer, batch, 20, pbar=False) for text, answer in texts]
        return torch.stack(each).detach()

    jobs: dict[str, Any] = {"ours": ours} | {f"package, batch {b}": partial(theirs, b) for b in (10, 20)}
    times = medians(interleaved(jobs, repeats, warm=1, clock=time.process_time))
    print(f"{len(tokenizer):,} words, {len(asked)} prompts, one thread, CPU seconds, medians of {repeats}:")
    for name in jobs:
        print(f"  {name:20s} {times[name]:7.2f} s   {times[name] / times['ours']:5.2f}")
    print(f"largest difference of attributions: {float((ours() - theirs(20)).abs().max()):.0e}")


if __name__ == "__main__":
    main()
