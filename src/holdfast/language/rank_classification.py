"""Which of several answers a language model finds most likely: the score of an answer is its log-likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from holdfast.errors import InputError
from holdfast.validation import check_integer, check_same_length

LONGEST = 512  # tokens of an input


def answer_log_likelihoods(
    model: Any, tokenizer: Any, inputs: Sequence[str], answers: Sequence[str], *, length_norm: bool = False
) -> Tensor:
    """log p(answer | input) of pairs, the end of the sequence included, with gradients: (N,).

    Args:
        model: an encoder-decoder of transformers.
        tokenizer: its tokenizer.
        inputs, answers: N texts each.
        length_norm: the mean over the answer's tokens in place of their sum.

    Raises:
        InputError: texts that are not as many; none.

    Source: rank classification of T0 (Sanh et al., ICLR 2022), whose code sums over tokens.
    """
    if not check_same_length(inputs=inputs, answers=answers):
        raise InputError("inputs", "must not be empty", "none")
    device = next(model.parameters()).device
    read = tokenizer(list(inputs), padding=True, truncation=True, max_length=LONGEST, return_tensors="pt").to(device)
    said = tokenizer(text_target=list(answers), padding=True, return_tensors="pt").to(device)
    real = said["attention_mask"].bool()
    labels = said["input_ids"].masked_fill(~real, -100)
    logits = model(input_ids=read["input_ids"], attention_mask=read["attention_mask"], labels=labels).logits
    each = -F.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="none").view(labels.shape)
    total = torch.where(real, each, 0.0).sum(1)
    return total / real.sum(1) if length_norm else total


def rank_classify(
    model: Any,
    tokenizer: Any,
    inputs: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    length_norm: bool = False,
    batch: int = 32,
) -> list[np.ndarray]:
    """Scores of every input's choices; the largest is the model's answer.

    Args:
        model: an encoder-decoder of transformers, in evaluation mode.
        tokenizer: its tokenizer.
        inputs: N texts.
        choices: N lists of answers.
        length_norm: the mean log-likelihood of a token in place of the sum: the two can disagree.
        batch: pairs of input and choice at a time.

    Returns:
        N float32 arrays, as long as the lists.

    Raises:
        InputError: lists that are not as many as inputs; an input without choices.
    """
    check_same_length(inputs=inputs, choices=choices)
    check_integer(batch, "batch", low=1)
    if any(not len(answers) for answers in choices):
        raise InputError("choices", "must be there for every input", "an empty list")
    pairs = [(text, answer) for text, answers in zip(inputs, choices, strict=True) for answer in answers]
    found = []
    with torch.inference_mode():
        for start in range(0, len(pairs), batch):
            read, said = zip(*pairs[start : start + batch], strict=True)
            found.append(answer_log_likelihoods(model, tokenizer, read, said, length_norm=length_norm))
    scores = torch.cat(found).float().cpu().numpy() if found else np.zeros(0, np.float32)
    return np.split(scores, np.cumsum([len(answers) for answers in choices])[:-1]) if len(choices) else []


__all__ = ["answer_log_likelihoods", "rank_classify"]
