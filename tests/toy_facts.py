"""A tiny BERT of known weights, a tiny taught one, and facts, for tests of knowledge neurons."""

import functools

import numpy as np
import torch
from transformers import BertConfig, BertForMaskedLM

from holdfast.systems.knowledge_neurons.problems import World, teach, tiny_bert


def published_bert():
    """The model of the reference's numbers: weights drawn by numpy in the order of their names."""
    config = BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    model, rng = BertForMaskedLM(config).eval(), np.random.RandomState(0)
    for name, value in sorted(model.named_parameters()):
        if "LayerNorm" in name:
            drawn = np.full(value.shape, float(name.endswith("weight")))
        else:
            drawn = rng.randn(*value.shape) * (0.8 if "word_embeddings" in name else 0.35)
        value.data = torch.tensor(drawn.astype(np.float32))
    return model


class Ids:
    """As much of a tokenizer as tests with ids need."""

    mask_token_id, pad_token_id = 3, 0


@functools.cache
def taught_weights():
    tokenizer, facts = World(people=4).facts(0)
    model = tiny_bert(len(tokenizer), 0, hidden=32, neurons=64)
    teach(model, tokenizer, facts, 90, 0, lr=1e-2)
    return tokenizer, tuple(facts), model.state_dict()


def taught():
    """Tokenizer, facts and a fresh copy of a model that knows them."""
    tokenizer, facts, state = taught_weights()
    model = tiny_bert(len(tokenizer), 0, hidden=32, neurons=64)
    model.load_state_dict(state)
    return tokenizer, list(facts), model.eval()
