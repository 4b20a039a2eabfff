"""Texts as the mean of their words' embeddings."""

from __future__ import annotations

from torch import Tensor, nn


class BagOfEmbeddings(nn.Module):
    """(n, T) ids of words to (n, hidden) features: the mean of the words' embeddings, then one hidden layer.

    Args:
        words: size of the vocabulary, with 0 for no word; rows of zeros alone have the mean 0.
        embedding: length of an embedding.
        hidden: number of features, `dim`.

    Example:
        >>> import torch
        >>> BagOfEmbeddings(10, 4, 8)(torch.tensor([[1, 2, 0], [0, 0, 0]])).shape
        torch.Size([2, 8])
    """

    def __init__(self, words: int, embedding: int, hidden: int) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(words, embedding, mode="mean", padding_idx=0)
        self.layers = nn.Sequential(nn.Linear(embedding, hidden), nn.ReLU())
        self.dim = hidden

    def forward(self, ids: Tensor) -> Tensor:
        features: Tensor = self.layers(self.embedding(ids))
        return features


__all__ = ["BagOfEmbeddings"]
