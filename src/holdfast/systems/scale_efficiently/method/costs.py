"""FLOPs, memory and time of a shape. A multiplication with its addition counts as two."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.systems.scale_efficiently.method.shapes import T5Shape
from holdfast.validation import check_choice, check_integer, check_positive

OPTIMIZERS = ("adamw", "adafactor")
BYTES = {"float32": 4, "bfloat16": 2}
KERNELS = {"encoder": 6, "decoder": 9}  # launches of a block: projections, attention, feed-forward


@dataclass(frozen=True)
class Machine:
    """What time is estimated for; the default is about an A100.

    Attributes:
        flops: at best, a second.
        bandwidth: bytes a second.
        launch: seconds that starting a kernel takes.
    """

    flops: float = 312e12
    bandwidth: float = 1.5e12
    launch: float = 5e-6

    def __post_init__(self) -> None:
        for name in ("flops", "bandwidth", "launch"):
            check_positive(getattr(self, name), name)


@dataclass(frozen=True)
class Memory:
    """Bytes in training.

    Attributes:
        weights: with gradients, master copy and moments.
        activations: kept for the backward pass.
        total: of both.
    """

    weights: int
    activations: int
    total: int


def block_flops(shape: T5Shape, src_len: int, tgt_len: int) -> tuple[int, int]:
    """Forward, of one encoder and one decoder block, for one pair of sequences (S, T).

    encoder: 8 S dm inner + 4 S^2 inner + 4 S dm ff
    decoder: 8 T dm inner + 4 T^2 inner + 4 T dm inner + 4 S dm inner + 4 S T inner + 4 T dm ff
    """
    S, T, dm, inner = src_len, tgt_len, shape.dm, shape.inner
    mlp = (6 if shape.gated else 4) * dm * shape.ff
    encoder = 8 * S * dm * inner + 4 * S**2 * inner + S * mlp
    cross = 4 * T * dm * inner + 4 * S * dm * inner + 4 * S * T * inner
    return encoder, 8 * T * dm * inner + 4 * T**2 * inner + cross + T * mlp


def flops(shape: T5Shape, src_len: int, tgt_len: int, training: bool = False, recomputed: bool = False) -> int:
    """Of one pair of sequences, the output's product included.

    Args:
        shape: of the model.
        src_len, tgt_len: tokens of encoder and decoder.
        training: three times the forward pass, four with `recomputed` activations.
        recomputed: activations are computed again in the backward pass.

    Raises:
        InputError: a length below 1.

    Example:
        >>> round(flops(T5Shape.from_name("base"), 512, 114) / 1e9)
        142
    """
    _check(src_len, tgt_len)
    encoder, decoder = block_flops(shape, src_len, tgt_len)
    forward = shape.el * encoder + shape.dl * decoder + 2 * tgt_len * shape.dm * shape.vocab
    return forward * ((4 if recomputed else 3) if training else 1)


def memory(
    shape: T5Shape, batch: int, src_len: int, tgt_len: int, *, optimizer: str = "adamw", dtype: str = "bfloat16",
    checkpointing: bool = False, flash: bool = False,
) -> Memory:  # fmt: skip
    """Bytes in training.

    Weights, gradients and two moments are 16 bytes a weight, in single precision as in mixed (2 + 2 + 4 + 8);
    Adafactor's factored moment is left out, which is 8. A block keeps about S B (34 dm + 5 nh S) bytes in 16 bits,
    twice that in 32; with `checkpointing` its input alone, and one block at a time.

    Args:
        shape: of the model.
        batch: pairs of sequences.
        src_len, tgt_len: tokens of encoder and decoder.
        optimizer: "adamw" or "adafactor".
        dtype: "float32", or "bfloat16" for mixed precision.
        checkpointing: activations are computed again.
        flash: no matrix of attention is kept.

    Raises:
        InputError: an argument breaks a rule.
    """
    check_integer(batch, "batch", low=1)
    _check(src_len, tgt_len)
    check_choice(optimizer, OPTIMIZERS, "optimizer")
    size = BYTES[check_choice(dtype, tuple(BYTES), "dtype")]
    weights = (16 if optimizer == "adamw" else 8) * shape.params().total

    def block(length: int, kept: int) -> float:
        return batch * length * (34 * shape.dm + (0 if flash else 5 * shape.nh * kept)) * size / 2

    encoder, decoder = block(src_len, src_len), block(tgt_len, tgt_len + src_len)
    if checkpointing:
        inputs = batch * shape.dm * size * (shape.el * src_len + shape.dl * tgt_len)
        activations = int(inputs + max(encoder, decoder))
    else:
        activations = int(shape.el * encoder + shape.dl * decoder)
    return Memory(weights, activations, weights + activations)


def kv_cache_bytes(shape: T5Shape, batch: int, src_len: int, tgt_len: int, dtype: str = "bfloat16") -> int:
    """Keys and values kept while decoding: 2 DL (T + S) inner bytes a sequence.

    Raises:
        InputError: an argument breaks a rule.
    """
    check_integer(batch, "batch", low=1)
    _check(src_len, tgt_len)
    size = BYTES[check_choice(dtype, tuple(BYTES), "dtype")]
    return 2 * shape.dl * (tgt_len + src_len) * shape.inner * size * batch


def latency(shape: T5Shape, batch: int, src_len: int, tgt_len: int, machine: Machine | None = None) -> float:
    """Seconds of a forward pass: the sum over blocks of max(FLOPs / peak, bytes / bandwidth), and starts of kernels.

    Blocks come one after the other, so that depth costs time at equal FLOPs. Weights are read once, in 16 bits.

    Raises:
        InputError: an argument breaks a rule.

    Example:
        >>> wide, deep = T5Shape.from_name("base"), T5Shape.from_name("small-nl24")
        >>> latency(deep, 1, 64, 16) > latency(wide, 1, 64, 16)
        True
    """
    check_integer(batch, "batch", low=1)
    machine = machine or Machine()
    encoder, decoder = block_flops(shape, src_len, tgt_len)
    _check(src_len, tgt_len)
    once, size = shape.params(), BYTES["bfloat16"]

    def seconds(work: float, weights: float) -> float:
        return max(batch * work / machine.flops, size * weights / machine.bandwidth)

    head = seconds(2 * tgt_len * shape.dm * shape.vocab, shape.vocab * shape.dm)
    blocks = shape.el * seconds(encoder, once.encoder / shape.el) + shape.dl * seconds(decoder, once.decoder / shape.dl)
    return blocks + head + machine.launch * (shape.el * KERNELS["encoder"] + shape.dl * KERNELS["decoder"])


def _check(src_len: int, tgt_len: int) -> None:
    check_integer(src_len, "src_len", low=1)
    check_integer(tgt_len, "tgt_len", low=1)


__all__ = ["BYTES", "Machine", "Memory", "block_flops", "flops", "kv_cache_bytes", "latency", "memory"]
