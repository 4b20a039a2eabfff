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


def small(kind: str, width: int, **options: Any) -> nn.Module:
    """A decoder with one layer and four heads."""
    sizes = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 1, "vocab_size": 64}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 4, "max_position_embeddings": 32}
    return getattr(transformers, f"{kind}ForCausalLM")(  # type: ignore[no-any-return]
        getattr(transformers, f"{kind}Config")(**{**sizes, **heads, **options})
    )


def seq2seq(kind: str, width: int) -> nn.Module:
    """An encoder and a decoder that multiply embeddings by sqrt(width)."""
    sides = {f"{side}_{name}": 1 if name == "layers" else 4 for side in ("encoder", "decoder") for name in PARTS}
    feed = {"encoder_ffn_dim": 2 * width, "decoder_ffn_dim": 2 * width, "vocab_size": 64, "dropout": 0.0}
    config = getattr(transformers, f"{kind}Config")(
        d_model=width, scale_embedding=True, max_position_embeddings=32, decoder_start_token_id=0, **sides, **feed
    )
    return getattr(transformers, f"{kind}ForConditionalGeneration")(config)  # type: ignore[no-any-return]


PARTS = ("layers", "attention_heads")


def mixtral(width: int) -> nn.Module:
    return small("Mixtral", width, intermediate_size=width * width // 16, num_local_experts=4, num_experts_per_tok=2)


def t5_wide_heads(width: int, buckets: int = 32) -> nn.Module:
    config = transformers.T5Config(
        d_model=width, d_kv=width // 4, num_heads=4, d_ff=width, num_layers=1, vocab_size=64, dropout_rate=0.0,
        decoder_start_token_id=0, relative_attention_num_buckets=buckets,
    )  # fmt: skip
    return transformers.T5ForConditionalGeneration(config)  # type: ignore[no-any-return]


ROUTER = {"*.mlp.gate.weight": "output"}


@pytest.mark.parametrize(
    ("build", "options"),
    [
        (lambda w: small("Gemma", w, head_dim=w // 4), {}),
        (lambda w: seq2seq("Bart", w), {}),
        (lambda w: seq2seq("Pegasus", w), {}),
        (mixtral, {"roles": ROUTER}),
        (t5_wide_heads, {}),
    ],
    ids=["gemma", "bart", "pegasus", "mixtral", "t5 with wide heads"],
)
def test_what_scales_or_stacks_passes(build: Callable[[int], nn.Module], options: Any) -> None:
    mu = MuParametrization.from_builder(build, WIDTHS[0], **options)
    found = coord_check(build, WIDTHS, BATCH, mu=mu, seeds=1, steps=3, lr=3e-3)
    assert found.passed, found.verdict


def test_axes_of_experts_are_read_off_their_module() -> None:
    rows = {
        row.info.name: row
        for row in MuParametrization.from_builder(mixtral, 32, roles=ROUTER).report(mixtral(128)).rows
    }
    up, down = (rows[f"model.layers.0.mlp.experts.{name}_proj"] for name in ("gate_up", "down"))
    assert (up.info.m_in, up.info.m_out, up.scaling.sgd) == (4, 16, 4)
    assert (down.info.m_in, down.info.m_out, down.scaling.sgd) == (16, 4, 0.25)


def test_t5s_position_bias_has_one_law_for_every_seed() -> None:
    """64 and 128 numbers: their measured spreads would tell another law for many a seed."""
    factors = set()
    for seed in range(8):
        torch.manual_seed(seed)
        mu = MuParametrization.from_builder(t5, 32)
        rows = {row.info.name: row for row in mu.report(t5(64)).rows}
        factors.add(rows["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"].init_factor)
    assert len(factors) == 1
    assert factors.pop() == pytest.approx(2**0.5)


def test_logits_that_are_not_divided_fall_with_the_width_of_a_head() -> None:
    base, model = t5_wide_heads(32), t5_wide_heads(128)
    keys: Any = model.get_submodule("encoder.block.0.layer.0.SelfAttention.k")
    x = torch.randn(2, 128)
    before = keys(x)
    MuParametrization(base, t5_wide_heads(64)).apply(model, rescale=False)
    torch.testing.assert_close(keys(x), before / 4)
