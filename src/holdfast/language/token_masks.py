"""Which tokens of a vocabulary may be used: letters alone, no marks, none of a list of words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from holdfast.errors import InputError

JOINS = "##"  # of word pieces that continue a word
SPACES = ("\u0120", "\u2581")  # before tokens that begin one: GPT-2's and sentencepiece's
END = "</w>"  # CLIP's: after tokens that end one


def letters(token: str) -> str:
    """A token without the marks that say where in a word it stands."""
    return token.removeprefix(JOINS).removesuffix(END).lstrip("".join(SPACES))


def alphabetic(tokenizer: Any, vocabulary: int | None = None) -> Tensor:
    """Tokens of at least two ASCII letters and nothing else: bool (V,).

    Args:
        tokenizer: of transformers.
        vocabulary: V, rows of the table of embeddings: those that no token belongs to are left out. None = as many as
            the tokenizer has.

    Raises:
        InputError: the table has fewer rows than the tokenizer has tokens.
    """
    said = _tokens(tokenizer, vocabulary)
    special = set(tokenizer.all_special_tokens)
    plain = [t not in special and len(letters(t)) > 1 and letters(t).isascii() and letters(t).isalpha() for t in said]
    return torch.tensor(plain)


def continues(tokenizer: Any, vocabulary: int | None = None) -> Tensor:
    """Word pieces that continue a word (##ing): bool (V,); none where beginnings are marked instead."""
    return torch.tensor([token.startswith(JOINS) for token in _tokens(tokenizer, vocabulary)])


def blocked(tokenizer: Any, words: Iterable[str], vocabulary: int | None = None) -> Tensor:
    """Tokens that could say any of these words: bool (V,).

    A token is blocked where its letters hold a word, or where it is glued to its neighbours without a space and is a
    part of one: no word can then be put together from its own pieces.

    Raises:
        InputError: an empty word.
    """
    said = _tokens(tokenizer, vocabulary)
    banned, parts = [word.strip().lower() for word in words], set()
    if not all(banned):
        raise InputError("blocklist", "must hold words", "an empty one")
    for word in banned:
        parts |= {word[i:j] for i in range(len(word)) for j in range(i + 1, len(word) + 1)}
    spaced, ended = any(t.startswith(SPACES) for t in said), any(t.endswith(END) for t in said)

    def glued(token: str) -> bool:
        open_start = spaced and not token.startswith(SPACES)
        return token.startswith(JOINS) or open_start or (ended and not token.endswith(END))

    plain = [letters(token).lower() for token in said]
    return torch.tensor(
        [any(word in p for word in banned) or (p in parts and glued(t)) for t, p in zip(said, plain, strict=True)]
    )


def placed(mask: Tensor, first: Tensor, length: int) -> Tensor:
    """(L, V): the mask at every position, but for `first` (V,), which is left out of the first."""
    found = mask.expand(length, -1).clone()
    found[0] &= ~first
    return found


def _tokens(tokenizer: Any, vocabulary: int | None) -> list[str]:
    known = len(tokenizer)
    if vocabulary is not None and vocabulary < known:
        raise InputError("tokenizer", f"must have at most {vocabulary} tokens, the rows of the embeddings", known)
    said = tokenizer.convert_ids_to_tokens(list(range(known)))
    return [token or "" for token in said] + [""] * ((vocabulary or known) - known)


__all__ = ["alphabetic", "blocked", "continues", "letters", "placed"]
