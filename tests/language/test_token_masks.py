"""Masks of vocabularies, for three ways to mark where words begin and end."""

from __future__ import annotations

import pytest
import torch

from holdfast.errors import InputError
from holdfast.language.token_masks import alphabetic, blocked, continues, letters, placed


class Words:
    """A tokenizer that knows its tokens and nothing else."""

    def __init__(self, *tokens, special=()):
        self.tokens, self.all_special_tokens = tokens, list(special)

    def __len__(self):
        return len(self.tokens)

    def convert_ids_to_tokens(self, ids):
        return [self.tokens[i] for i in ids]


PIECES = Words("[CLS]", "pad", "a", "bread", "##less", "caf\u00e9", "two2", "##b", "bo", "##omb", "bomb", "bombs",
               special=("[CLS]", "pad"))  # fmt: skip


def said(words, mask):
    return [token for token, yes in zip(words.tokens, mask.tolist(), strict=False) if yes]


def test_letters_alone():
    assert said(PIECES, alphabetic(PIECES)) == ["bread", "##less", "bo", "##omb", "bomb", "bombs"]
    assert said(PIECES, continues(PIECES)) == ["##less", "##b", "##omb"]


def test_marks_of_words():
    assert [letters(token) for token in ("##ing", "\u0120cat", "\u2581cat", "cat</w>", "cat")] == [
        "ing", "cat", "cat", "cat", "cat"
    ]  # fmt: skip


def test_rows_that_fill_the_table_up_belong_to_no_token():
    assert alphabetic(PIECES, 14).tolist()[12:] == [False, False]
    assert len(blocked(PIECES, ["x"], 14)) == 14
    with pytest.raises(InputError, match="at most 5"):
        alphabetic(PIECES, 5)


def test_a_blocked_word_and_the_pieces_it_could_be_made_of():
    assert said(PIECES, blocked(PIECES, ["Bomb "])) == ["##b", "##omb", "bomb", "bombs"]
    with pytest.raises(InputError, match="empty"):
        blocked(PIECES, [" "])


def test_blocked_pieces_where_spaces_begin_words_or_marks_end_them():
    spaced = Words("\u0120bomb", "\u0120bo", "mb", "\u0120cat", "omb")
    assert said(spaced, blocked(spaced, ["bomb"])) == ["\u0120bomb", "mb", "omb"]
    ended = Words("bomb</w>", "bo", "mb</w>", "cat</w>")
    assert said(ended, blocked(ended, ["bomb"])) == ["bomb</w>", "bo"]


def test_another_mask_for_the_first_position():
    found = placed(torch.tensor([True, True, False]), torch.tensor([False, True, False]), 2)
    assert found.tolist() == [[True, False, False], [True, True, False]]
