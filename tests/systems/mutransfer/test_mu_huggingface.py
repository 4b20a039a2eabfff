"""Models of the transformers library, built from configurations without weights: one call, and the check passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from holdfast.systems.mutransfer.method.rules import SP
from holdfast.systems.mutransfer.tool.coordcheck import coord_check
from holdfast.systems.mutransfer.tool.parametrization import MuParametrization

transformers = pytest.importorskip("transformers")

TOKENS = torch.randint(1, 64, (8, 12), generator=torch.Generator().manual_seed(0))
BATCH = {"input_ids": TOKENS, "labels": TOKENS}
WIDTHS = [32, 64, 128]


def gpt2(width: int) -> nn.Module:
    config = transformers.GPT2Config(
        n_embd=width,
        n_head=4,
        n_layer=1,
        vocab_size=64,
        n_positions=16,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        loss_type="ForCausalLMLoss",
    )
    return transformers.GPT2LMHeadModel(config)  # type: ignore[no-any-return]


def bert(width: int) -> nn.Module:
    config = transformers.BertConfig(
        hidden_size=width,
        num_attention_heads=4,
        intermediate_size=4 * width,
        num_hidden_layers=1,
        vocab_size=64,
        max_position_embeddings=16,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    return transformers.BertForMaskedLM(config)  # type: ignore[no-any-return]


def t5(width: int) -> nn.Module:
    """Heads of one width, and more of them as the model widens, as T5's sizes have it."""
    config = transformers.T5Config(
        d_model=width,
        d_kv=16,
        num_heads=width // 16,
        d_ff=4 * width,
        num_layers=1,
        vocab_size=64,
        dropout_rate=0.0,
        decoder_start_token_id=0,
    )
    return transformers.T5ForConditionalGeneration(config)  # type: ignore[no-any-return]


@pytest.mark.parametrize("build", [gpt2, bert, t5])
def test_check_passes_after_one_call(build: Callable[[int], nn.Module]) -> None:
    def check(**options: Any) -> Any:
        mu = MuParametrization.from_builder(build, WIDTHS[0], **options)
        return coord_check(build, WIDTHS, BATCH, mu=mu, seeds=1, steps=3, lr=3e-3)

    assert check().passed
    assert not check(rule=SP()).passed


def test_gpt2_is_understood() -> None:
    report = MuParametrization.from_builder(gpt2, 64).report(gpt2(256))
    infos = report.infos
    assert infos["transformer.wte.weight"].role == "input"  # tied to the readout
    assert {o.module for o in infos["transformer.wte.weight"].owners} == {"transformer.wte", "lm_head"}
    assert infos["transformer.h.0.attn.c_attn.weight"].role == "hidden"  # stored as (inputs, outputs)
    factors = {row.info.name: row.init_factor for row in report.rows}
    assert factors["transformer.h.0.attn.c_attn.weight"] == 0.5  # its std is 0.02 at every width
    assert factors["transformer.wte.weight"] == 1.0
    assert report.unscaled_attention == ()
