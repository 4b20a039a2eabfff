"""CLIP from a local folder in Hugging Face's layout, and a `TinyCLIP` written as such a folder."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor

from holdfast.encoders.clip import END, START, UNKNOWN, JointEncoder, TinyCLIP, VisionTower
from holdfast.errors import InputError, MissingExtra
from holdfast.files import replacing_folder
from holdfast.layers.transformer import Stack
from holdfast.validation import check_array

MEAN, SPREAD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's own images


class PretrainedCLIP(JointEncoder):
    """A transformers `CLIPModel` from a folder: config.json, safetensors and a tokenizer. Frozen, in evaluation mode.

    No code of the folder is run, and nothing is downloaded. Images of any size are resized (bicubic, smoothed) to the
    model's and standardised as its preprocessor_config.json says (without one: as OpenAI's CLIP does); they should be
    square already.

    Args:
        folder: as `CLIPModel.save_pretrained` and `AutoTokenizer.save_pretrained` write it.
        device: where it runs.

    Raises:
        MissingExtra: transformers is not installed.
        InputError: the folder holds no CLIP.
    """

    _mean: Tensor
    _spread: Tensor

    def __init__(self, folder: str | Path, device: str = "cpu") -> None:
        super().__init__()
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self._tokenizer, self.model = _load(self.folder)
        self.model.to(device).requires_grad_(False)
        config = self.model.config
        self.dim, self.token_dim = config.projection_dim, config.text_config.hidden_size
        self.context, self.pixels = config.text_config.max_position_embeddings, config.vision_config.image_size
        self.scale = float(self.model.logit_scale.exp())
        mean, spread = _standard(self.folder)
        self.register_buffer("_mean", torch.tensor(mean, device=device)[:, None, None], persistent=False)
        self.register_buffer("_spread", torch.tensor(spread, device=device)[:, None, None], persistent=False)
        self._end = _number(self._tokenizer, "eos_token", self.folder)

    @functools.cached_property
    def fingerprint(self) -> str:
        return super().fingerprint  # the weights are frozen, and may be many

    def train(self, mode: bool = True) -> PretrainedCLIP:
        """Stays in evaluation mode, whatever it is a part of."""
        super().train(False)
        return self

    def images(self, pixels: Tensor) -> Tensor:
        check_array(pixels, "N 3 H W", name="pixels", dtype="floating")
        place, kind = self._mean.device, self.model.logit_scale.dtype
        x = pixels.to(place).float()
        if x.shape[2:] != (self.pixels, self.pixels):
            size = (self.pixels, self.pixels)
            x = F.interpolate(x, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
        x = (x - self._mean) / self._spread
        pooled = self.model.vision_model(pixel_values=x.to(kind)).pooler_output
        found: Tensor = self.model.visual_projection(pooled).float()
        return found

    def tokens(self, texts: Sequence[str]) -> Tensor:
        if not texts:
            return torch.zeros(0, 2, dtype=torch.int64, device=self._mean.device)
        rows = self._tokenizer(list(texts), truncation=False)["input_ids"]
        for text, row in zip(texts, rows, strict=True):
            if self._end not in row or row.index(self._end) != len(row) - 1:
                raise InputError("text", f"must not hold the token that ends a text for {self.name}", repr(text))
        longest = max(map(len, rows))
        if longest > self.context:
            which = max(range(len(rows)), key=lambda i: len(rows[i]))
            rule = f"must have at most {self.context - 2} tokens for {self.name}"
            raise InputError("text", rule, f"{longest - 2} in {texts[which]!r}")
        # The unknown token of OpenAI's tokenizer is its end: bytes leave nothing unknown there.
        unknown = self._tokenizer.unk_token_id
        if unknown is not None and unknown != self._end:
            bad = next((t for t, row in zip(texts, rows, strict=True) if unknown in row), None)
            if bad is not None:
                raise InputError("text", f"must be made of words that {self.name} knows", repr(bad))
        filled = [row + [self._end] * (longest - len(row)) for row in rows]
        return torch.tensor(filled, device=self._mean.device)

    def ends(self, tokens: Tensor) -> Tensor:
        return (tokens == self._end).int().argmax(1)

    def embed(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.model.text_model.embeddings.token_embedding(tokens)
        return found

    def from_embeddings(self, embedded: Tensor, ends: Tensor) -> Tensor:
        text = self.model.text_model
        kind = self.model.logit_scale.dtype
        x = text.embeddings(inputs_embeds=embedded.to(kind))
        hidden = text.encoder(inputs_embeds=x, attention_mask=_causal(x), is_causal=True).last_hidden_state
        at_end = text.final_layer_norm(hidden[torch.arange(len(x), device=x.device), ends])
        found: Tensor = self.model.text_projection(at_end).float()
        return found


def _causal(x: Tensor) -> Tensor:
    """What is added to the scores: (1, 1, T, T), minus infinity for keys behind their query."""
    hidden = torch.full((x.shape[1], x.shape[1]), -torch.inf, dtype=x.dtype, device=x.device)
    return hidden.triu(1)[None, None]


def _load(folder: Path) -> tuple[Any, Any]:
    try:
        from transformers import AutoTokenizer, CLIPModel
        from transformers.utils import logging
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    rule = "must hold a CLIP in Hugging Face's layout: config.json, safetensors and a tokenizer"
    config = folder / "config.json"
    if not config.is_file():
        raise InputError("clip", rule, str(folder))
    try:
        kind = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (ValueError, AttributeError) as error:
        raise InputError("clip", rule, f"{config}: not readable") from error
    if kind != "clip":
        raise InputError("clip", rule, f"{folder}: a model of type {kind!r}")
    logging.disable_progress_bar()
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        loaded: Any = CLIPModel.from_pretrained(
            folder, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **local
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise InputError("clip", rule, f"{folder}: {str(error).splitlines()[0]}") from error
    model, info = loaded
    lacking = [*info["missing_keys"], *info["mismatched_keys"]]
    if lacking:
        raise InputError("clip", "must hold all weights of a CLIP", f"{folder}, without {lacking[0]}")
    return tokenizer, model.eval()


def _standard(folder: Path) -> tuple[Sequence[float], Sequence[float]]:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return MEAN, SPREAD
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError("clip", "must have a preprocessor_config.json that can be read", str(path)) from error
    return known.get("image_mean", MEAN), known.get("image_std", SPREAD)


def _number(tokenizer: Any, name: str, folder: Path) -> int:
    token = getattr(tokenizer, f"{name}_id", None)
    if token is None:
        raise InputError("clip", f"must have a tokenizer with an {name}", str(folder))
    return int(token)


def write_clip(clip: TinyCLIP, folder: str | Path) -> None:
    """Write a `TinyCLIP` with a `VisionTower` as a folder that `transformers.CLIPModel` reads, in half precision.

    Its tokenizer splits at spaces and knows the words of the vocabulary. The folder appears whole or not at all.

    Raises:
        InputError: another vision tower; the folder is in the way.
        MissingExtra: transformers is not installed.
    """
    if not isinstance(clip.vision, VisionTower):
        raise InputError("clip", "must have a VisionTower, the only one that this format knows", type(clip.vision))
    try:
        from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig, PreTrainedTokenizerFast
    except ImportError as error:
        raise MissingExtra("transformers", "text") from error
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    vision, text, end = clip.vision, clip.text, clip.words.index(END)
    shared: dict[str, Any] = {"hidden_act": "gelu", "projection_dim": clip.dim, "layer_norm_eps": 1e-5}
    config = CLIPConfig(
        text_config=CLIPTextConfig(
            vocab_size=len(clip.words), max_position_embeddings=clip.context, eos_token_id=end,
            bos_token_id=clip.words.index(START), pad_token_id=end, **_sizes(text.blocks, text.heads), **shared,
        ).to_dict(),
        vision_config=CLIPVisionConfig(
            image_size=vision.pixels, patch_size=vision.patch, **_sizes(vision.blocks, vision.heads), **shared
        ).to_dict(),
        projection_dim=clip.dim,
    )  # fmt: skip
    model = CLIPModel(config)
    missing = model.load_state_dict(_named(clip), strict=False)
    assert not missing.unexpected_keys, missing.unexpected_keys
    assert all("position_ids" in key for key in missing.missing_keys), missing.missing_keys
    tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(clip.words)}, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    numbered = [(w, clip.words.index(w)) for w in (START, END)]
    tokenizer.post_processor = processors.TemplateProcessing(single=f"{START} $A {END}", special_tokens=numbered)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=UNKNOWN, bos_token=START, eos_token=END, pad_token=END
    )
    with replacing_folder(Path(folder)) as part:
        model.half().save_pretrained(part)
        wrapped.save_pretrained(part)
        plain = {"image_mean": [0.0] * 3, "image_std": [1.0] * 3, "size": {"shortest_edge": vision.pixels}}
        (part / "preprocessor_config.json").write_text(json.dumps(plain), encoding="utf-8")


def _sizes(blocks: Stack, heads: int) -> dict[str, Any]:
    first: Any = blocks.blocks[0]
    return {
        "hidden_size": first.feed_forward.up.in_features,
        "intermediate_size": first.feed_forward.up.out_features,
        "num_hidden_layers": len(blocks.blocks),
        "num_attention_heads": heads,
    }


def _named(clip: TinyCLIP) -> dict[str, Tensor]:
    """The weights under the names of `CLIPModel`."""
    vision: Any = clip.vision
    text = clip.text
    found = {
        "logit_scale": clip.log_scale,
        "visual_projection.weight": vision.project.weight,
        "text_projection.weight": text.project.weight,
        "vision_model.embeddings.class_embedding": vision.kind,
        "vision_model.embeddings.patch_embedding.weight": vision.patches.weight,
        "vision_model.embeddings.position_embedding.weight": vision.positions,
        "text_model.embeddings.token_embedding.weight": text.embedding.weight,
        "text_model.embeddings.position_embedding.weight": text.positions,
    }
    norms = {
        "vision_model.pre_layrnorm": vision.before,
        "vision_model.post_layernorm": vision.blocks.norm,
        "text_model.final_layer_norm": text.blocks.norm,
    }
    for tower, blocks in (("vision_model", vision.blocks), ("text_model", text.blocks)):
        for i, block in enumerate(blocks.blocks):
            at = f"{tower}.encoder.layers.{i}"
            attention = block.attention
            parts = {"q_proj": attention.q, "k_proj": attention.k, "v_proj": attention.v, "out_proj": attention.o}
            norms.update({f"{at}.self_attn.{name}": part for name, part in parts.items()})
            norms[f"{at}.layer_norm1"], norms[f"{at}.layer_norm2"] = block.norms
            norms[f"{at}.mlp.fc1"], norms[f"{at}.mlp.fc2"] = block.feed_forward.up, block.feed_forward.down
    for name, module in norms.items():
        found[f"{name}.weight"], found[f"{name}.bias"] = module.weight, module.bias
    return {name: value.detach() for name, value in found.items()}


__all__ = ["PretrainedCLIP", "write_clip"]
