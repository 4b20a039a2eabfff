"""Tiny models on the disk in Hugging Face's layout: a sentence encoder, a language model, a CLIP; random weights."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = [
    "red", "blue", "green", "cat", "dog", "bird", "fish", "house", "tree", "river", "the", "an", "this", "that", "good",
    "bad", "great", "awful", "film", "book", "song", "was", "it", "very", "happy", "sad", "slow", "fast", "bread",
    "water", "stone", "cloud", "light", "dark", "warm", "cold",
]  # fmt: skip
PIECES = ("##s", "##ing", "##er")


def tiny_bert(folder: Path) -> Path:
    """A sentence encoder of one layer."""
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", *WORDS, *PIECES]
    tokenizer = transformers.BertTokenizerFast(vocab={token: i for i, token in enumerate(vocabulary)})
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(tokenizer) + 2, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=300, initializer_range=0.5,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_gpt2(folder: Path) -> Path:
    """A causal language model of one layer."""
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    torch.manual_seed(0)
    vocabulary = {word: i for i, word in enumerate(["<end>", "<unk>", ".", *WORDS])}
    plain = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", eos_token="<end>")
    config = transformers.GPT2Config(
        vocab_size=len(vocabulary), n_embd=16, n_head=2, n_layer=1, n_positions=40, bos_token_id=0, eos_token_id=0,
        initializer_range=0.3,
    )  # fmt: skip
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_clip(folder: Path) -> Path:
    """A CLIP of one layer a tower, for images of 16 x 16 pixels."""
    from holdfast.encoders.clip import TinyCLIP, VisionTower
    from holdfast.encoders.clip_folder import write_clip

    torch.manual_seed(0)
    write_clip(TinyCLIP(WORDS, VisionTower(width=16, dim=16), width=16, dim=16).eval(), folder)
    return folder


__all__ = ["WORDS", "tiny_bert", "tiny_clip", "tiny_gpt2"]
