"""Counts of weights, FLOPs, memory, time; names; plans; laws."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from holdfast.errors import InputError
from holdfast.systems.scale_efficiently import (
    Machine,
    T5Shape,
    fit_scaling_law,
    flops,
    kv_cache_bytes,
    latency,
    memory,
    plan,
)
from holdfast.systems.scale_efficiently.method.costs import KERNELS, block_flops
from holdfast.systems.scale_efficiently.method.planning import DEEPEST, canonical
from holdfast.systems.scale_efficiently.method.shapes import BASES, CONTRADICTED, SIZES

TABLE = Path(os.environ.get("HOLDFAST_DATA", "nowhere")) / "scale_efficiently/t5_efficient_shapes.csv"
KNOWN = {
    "small": 60_506_624, "base": 222_903_552, "large": 737_668_096, "xl": 2_851_598_336, "tiny": 15_570_688,
    "mini": 31_220_480, "tiny-nl32": 66_986_752, "small-nl16": 133_932_544, "small-nl24": 192_673_280,
    "xxl": 11_307_321_344,
}  # fmt: skip
TINY = T5Shape(2, 3, 24, 40, 6, 3, vocab=50)


# ------------------------------------------------------------------------------------------------------------- counts
@pytest.mark.parametrize("name", KNOWN)
def test_known_checkpoints_are_counted_to_the_last_weight(name):
    assert T5Shape.from_name(name).params().total == KNOWN[name]


@pytest.mark.skipif(not TABLE.is_file(), reason="needs scale_efficiently/t5_efficient_shapes.csv under HOLDFAST_DATA")
def test_all_published_shapes_are_counted_and_named():
    rows = list(csv.DictReader(TABLE.open()))
    assert len(rows) == 159
    refused = 0
    for row in rows:
        sizes = {key: int(row[key]) for key in ("el", "dl", "dm", "ff", "kv", "nh", "vocab")}
        shape = T5Shape(**sizes)
        found = shape.params()
        expected = [int(row[f"params_{part}"]) for part in ("exact", "encoder", "decoder")]
        assert [found.total, found.encoder, found.decoder] == expected, row["name"]
        if row["name"].removeprefix("t5-efficient-") in CONTRADICTED:
            refused += 1
        else:
            assert T5Shape.from_name(row["name"]) == shape, row["name"]
    assert refused == len(CONTRADICTED)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("tied", [False, True])
def test_counts_are_those_of_the_model(gated, tied):
    shape = replace(TINY, gated=gated, tied=tied)
    model = shape.build()
    count = {n: sum(p.numel() for p in getattr(model, n).parameters()) for n in ("shared", "encoder", "decoder")}
    found = shape.params()
    assert found.encoder == count["encoder"]
    assert found.decoder == count["decoder"]
    assert found.embedding == count["shared"] * (1 if tied else 2)
    assert found.total == sum(p.numel() for p in model.parameters())


def test_counts_are_those_of_transformers():
    transformers = pytest.importorskip("transformers")
    for name in ("tiny", "mini-nl6", "small-el2-dl4", "tiny-ff2000-nh8"):
        shape = T5Shape.from_name(name)
        with torch.device("meta"):
            model = transformers.T5ForConditionalGeneration(shape.to_hf_config())
        assert sum(p.numel() for p in model.parameters()) == shape.params().total
    with pytest.raises(InputError, match="tied: must be true"):
        replace(TINY, tied=False).to_hf_config()


# -------------------------------------------------------------------------------------------------------------- costs
@pytest.mark.parametrize("gated", [False, True])
def test_flops_are_those_that_torch_counts(gated):
    from torch.utils.flop_counter import FlopCounterMode

    shape = replace(TINY, gated=gated)
    model, S, T = shape.build(), 17, 11
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(torch.zeros(1, S, dtype=torch.int64), torch.zeros(1, T, dtype=torch.int64))
    assert flops(shape, S, T) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_flops_of_transformers_model_within_a_percent():
    from torch.utils.flop_counter import FlopCounterMode

    transformers = pytest.importorskip("transformers")
    shape = T5Shape.from_name("tiny-nl2")
    config = shape.to_hf_config()
    config._attn_implementation = "eager"
    model = transformers.T5ForConditionalGeneration(config).eval()
    S, T = 64, 20
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        model(input_ids=torch.zeros(1, S, dtype=torch.int64), decoder_input_ids=torch.zeros(1, T, dtype=torch.int64))
    assert flops(shape, S, T) == pytest.approx(counter.get_total_flops(), rel=0.01)


def test_block_flops_are_sums_over_products():
    """Two for each multiplication, product by product."""
    S, T, s = 7, 5, TINY
    inner = s.nh * s.kv
    product = lambda rows, k, columns: 2 * rows * k * columns  # noqa: E731
    encoder = 4 * product(S, s.dm, inner) + 2 * s.nh * product(S, s.kv, S) + 2 * product(S, s.dm, s.ff)
    own = 4 * product(T, s.dm, inner) + 2 * s.nh * product(T, s.kv, T)
    cross = 2 * product(T, s.dm, inner) + 2 * product(S, s.dm, inner) + 2 * s.nh * product(T, s.kv, S)
    assert block_flops(s, S, T) == (encoder, own + cross + 2 * product(T, s.dm, s.ff))


def test_training_costs_three_forwards_or_four():
    once = flops(TINY, 7, 5)
    assert flops(TINY, 7, 5, training=True) == 3 * once
    assert flops(TINY, 7, 5, training=True, recomputed=True) == 4 * once
    head = 2 * 5 * TINY.dm * TINY.vocab
    encoder, decoder = block_flops(TINY, 7, 5)
    assert once == 2 * encoder + 3 * decoder + head


def test_short_sequences_cost_twice_the_weights_a_token():
    shape = T5Shape.from_name("base")
    weights = shape.params().encoder - shape.dm - 32 * shape.nh - 2 * shape.dm * shape.el
    assert shape.el * block_flops(shape, 4, 4)[0] / 4 == pytest.approx(2 * weights, rel=0.01)


def test_memory_is_its_formula():
    S, T, B, s = 16, 8, 3, TINY
    found = memory(s, B, S, T)
    encoder = B * S * (34 * s.dm + 5 * s.nh * S)
    decoder = B * T * (34 * s.dm + 5 * s.nh * (T + S))
    assert found.weights == 16 * s.params().total
    assert found.activations == 2 * encoder + 3 * decoder
    assert found.total == found.weights + found.activations
    assert memory(s, B, S, T, optimizer="adafactor").weights == 8 * s.params().total
    assert memory(s, B, S, T, dtype="float32").activations == 2 * found.activations
    assert memory(s, B, S, T, flash=True).activations == B * 34 * s.dm * (2 * S + 3 * T)
    inputs = B * s.dm * 2 * (2 * S + 3 * T)
    assert memory(s, B, S, T, checkpointing=True).activations == inputs + max(encoder, decoder)
    assert kv_cache_bytes(s, B, S, T) == 2 * 3 * (T + S) * 18 * 2 * B
    assert kv_cache_bytes(s, B, S, T, "float32") == 2 * kv_cache_bytes(s, B, S, T)


def test_latency_is_a_sum_over_blocks_of_the_larger_of_two_times():
    s, S, T, B = TINY, 16, 8, 3
    encoder, decoder = block_flops(s, S, T)
    for machine in (Machine(1e6, 1e12, 1e-3), Machine(1e15, 1e3, 1e-3)):  # bound by arithmetic, by reading weights
        seconds = 0.0
        for blocks, work, weights in ((s.el, encoder, s.params().encoder), (s.dl, decoder, s.params().decoder)):
            for _ in range(blocks):
                seconds += max(B * work / machine.flops, 2 * weights / blocks / machine.bandwidth)
        head = max(B * 2 * T * s.dm * s.vocab / machine.flops, 2 * s.vocab * s.dm / machine.bandwidth)
        starts = machine.launch * (s.el * KERNELS["encoder"] + s.dl * KERNELS["decoder"])
        assert latency(s, B, S, T, machine) == pytest.approx(seconds + head + starts)


def test_depth_costs_time_that_counts_of_flops_do_not_show():
    """For one pair of sequences a tall small is slower than base at fewer FLOPs; in large batches it is not."""
    tall, base = T5Shape.from_name("small-nl24"), T5Shape.from_name("base")
    assert flops(tall, 512, 114) < flops(base, 512, 114)
    assert latency(tall, 1, 512, 114) > latency(base, 1, 512, 114)
    assert latency(tall, 128, 512, 114) < latency(base, 128, 512, 114)
    assert latency(tall, 128, 512, 114) > 0.6 * latency(base, 128, 512, 114), "not 40 % faster"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: flops(TINY, 0, 5), "src_len: must"),
        (lambda: memory(TINY, 0, 5, 5), "batch: must"),
        (lambda: memory(TINY, 1, 5, 5, optimizer="sgd"), "optimizer: must"),
        (lambda: memory(TINY, 1, 5, 5, dtype="int8"), "dtype: must"),
        (lambda: kv_cache_bytes(TINY, 1, 5, 0), "tgt_len: must"),
        (lambda: latency(TINY, 1, 0, 5), "src_len: must"),
        (lambda: Machine(flops=0.0), "flops: must"),
        (lambda: T5Shape(0, 1, 8, 8), "el: must"),
        (lambda: T5Shape(1, 1, 10, 8, nh=3), "kv: must be given where 3 heads do not divide"),
    ],
)
def test_mistakes_are_named(make, words):
    with pytest.raises(InputError, match=words):
        make()


# -------------------------------------------------------------------------------------------------------------- names
def test_names_say_what_is_changed():
    assert T5Shape.from_name("T5-efficient-small-el16-dl4") == replace(BASES["small"], el=16, dl=4)
    assert T5Shape.from_name("base-dm1000-ff6000") == replace(BASES["base"], dm=1024, ff=6144)
    assert T5Shape.from_name("xxl-nl4-kv64-nh32") == replace(BASES["xxl"], el=4, dl=4, kv=64, nh=32)
    assert T5Shape.from_name("tiny", gated=True).gated
    assert T5Shape(1, 1, 64, 8, nh=4).kv == 16


@pytest.mark.parametrize("name", ["huge", "small-xx4", "small-nl", "small-nl4-el3", "small-nl4-nl5", "small-nl0", ""])
def test_names_that_say_nothing_are_refused(name):
    with pytest.raises(InputError, match="name: must"):
        T5Shape.from_name(name)


@pytest.mark.parametrize("name", CONTRADICTED)
def test_names_that_their_files_contradict_are_refused_with_the_reason(name):
    with pytest.raises(InputError, match=r"must be unambiguous .*its file has"):
        T5Shape.from_name(name)


# -------------------------------------------------------------------------------------------------------------- plans
@pytest.mark.parametrize("budget", [20e6, 60e6, 140e6, 220e6, 800e6])
def test_deep_and_narrow_comes_first_and_fits(budget):
    found = plan(budget)
    assert all(one.params <= budget for one in found)
    for one in found:
        deeper = replace(one.shape, el=one.shape.el + 1, dl=one.shape.dl + 1)
        assert one.shape.el == DEEPEST or deeper.params().total > budget
        assert one.shape == T5Shape.from_name(one.name)
    cut_short = [one.shape.el == DEEPEST for one in found]
    assert cut_short == sorted(cut_short)
    widths = [one.shape.dm for one, short in zip(found, cut_short, strict=True) if not short]
    assert widths == sorted(widths)


def test_all_budgets_bind_and_families_differ():
    assert all(one.memory_gb <= 3 for one in plan(budget_memory_gb=3.0))
    assert all(one.shape.depth <= 12 for one in plan(max_latency_blocks=12))
    assert all(3 * flops(one.shape, 512, 114) <= 3e11 for one in plan(budget_flops=3e11))
    both = plan(220e6, max_latency_blocks=20)
    assert all(one.params <= 220e6 and one.shape.depth <= 20 for one in both)
    uniform = plan(230e6, family="uniform")
    assert [one.name for one in uniform] == ["base", "small", "mini", "tiny"]
    grid = plan(100e6, family="all", top=50)
    assert [one.params for one in grid] == sorted((one.params for one in grid), reverse=True)
    assert len(plan(100e6, family="all", top=3)) == 3
    depths = [one.shape.el for one in plan(1e9, family="all", top=1000) if one.shape.dm == 256]
    assert sorted(depths) == list(range(2, DEEPEST + 1))


def test_memory_grows_with_the_batch_and_checkpointing_helps():
    small, large = (plan(60e6, batch=batch)[0] for batch in (1, 64))
    assert large.memory_gb > small.memory_gb
    assert plan(60e6, batch=64, checkpointing=True)[0].memory_gb < large.memory_gb
    assert small.flops_per_token == pytest.approx(3 * flops(small.shape, 512, 114) / 512)
    assert small.latency_ms == pytest.approx(1e3 * latency(small.shape, 1, 512, 114))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "budget_params: must be given"),
        ({"budget_params": -1.0}, "budget_params: must be a finite"),
        ({"budget_params": float("nan")}, "budget_params: must"),
        ({"budget_params": 1e6}, "budget: must be at least that of the smallest shape"),
        (
            {"budget_params": 1e7, "family": "uniform"},
            r"must be at least .*1\.557e\+07",
        ),
        ({"budget_memory_gb": 0.0}, "budget_memory_gb: must"),
        ({"max_latency_blocks": 0}, "max_latency_blocks: must"),
        ({"budget_params": 1e8, "family": "wide"}, "family: must"),
        ({"budget_params": 1e8, "top": 0}, "top: must"),
        ({"budget_params": 1e8, "batch": 0}, "batch: must"),
    ],
)
def test_mistakes_of_plans_are_named(arguments, words):
    with pytest.raises(InputError, match=words):
        plan(**arguments)


def test_the_nearest_released_size_is_nearest_by_ratio():
    assert {name: canonical(BASES[name].params().total * 1.2) for name in SIZES} == {name: name for name in SIZES}
    assert canonical(1e3) == "tiny"


# --------------------------------------------------------------------------------------------------------------- laws
def test_laws_are_found_again():
    n = np.array([1e6, 3e6, 1e7, 3e7, 1e8, 1e9])
    law = fit_scaling_law(n[::-1], (1.7 + 400 * n**-0.34)[::-1], n_boot=0)
    assert (law.E, law.alpha) == (pytest.approx(1.7, abs=1e-3), pytest.approx(0.34, abs=1e-3))
    assert pytest.approx(400, rel=1e-3) == law.A
    assert np.allclose(law(n), 1.7 + 400 * n**-0.34, rtol=1e-6)
    assert law.intervals == {}


def test_intervals_hold_the_truth_and_repeats_are_averaged():
    rng = np.random.default_rng(0)
    n = np.repeat(np.geomspace(1e6, 1e9, 8), 3)
    loss = (1.7 + 400 * n**-0.34) * np.exp(rng.normal(0, 0.01, len(n)))
    law = fit_scaling_law(n, loss, n_boot=100, seed=1)
    low, high = law.intervals["alpha"]
    assert low < 0.34 < high
    assert low < law.alpha < high
    assert law.intervals == fit_scaling_law(n, loss, n_boot=100, seed=1).intervals


@pytest.mark.parametrize(
    ("n", "loss", "words"),
    [
        ([1.0, 2.0, 3.0], [3.0, 2.0, 1.0], "n: must hold at least four"),
        ([1.0, 1.0, 2.0, 3.0], [3.0, 3.0, 2.0, 1.0], "n: must hold at least four"),
        ([1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0, 0.0], "loss: must be positive"),
        ([-1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0, 0.5], "n: must be positive"),
        ([1.0, 2.0, 3.0, 4.0], [3.0, 2.0, 1.0], "loss: must have as many"),
        ([1.0, 2.0, 3.0, float("nan")], [3.0, 2.0, 1.0, 0.5], "n"),
    ],
)
def test_mistakes_of_laws_are_named(n, loss, words):
    with pytest.raises(InputError, match=words):
        fit_scaling_law(n, loss)
