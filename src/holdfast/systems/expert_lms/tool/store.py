"""A library as a folder: a manifest, one index of stored vectors, and a file of weights for each expert."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from holdfast.errors import InputError
from holdfast.files import read_json, replacing_folder, write_json
from holdfast.language.adapted_encoder import Base, SentenceBase, TextEncoder
from holdfast.language.adapted_model import AdaptedModel
from holdfast.layers.adapters import Bottleneck, LowRank
from holdfast.systems.expert_lms.tool.experts import Expert
from holdfast.systems.expert_lms.tool.library import ExpertLibrary

MANIFEST, INDEX, MULTITASK, FORMAT = "library.json", "index.npy", "multitask.safetensors", 1
FACTORIES = {kind.__name__: kind for kind in (Bottleneck, LowRank)}
NEAR = 0.02  # the packaged encoder's vectors of one text differ by 1e-6 between machines, another encoder's by 1


def save(library: ExpertLibrary, folder: str | Path) -> Path:
    """Write the library; what was at `folder` is replaced, once all is written.

    Raises:
        InputError: the folder holds something else; adapters made by an unknown kind of factory.
    """
    from safetensors.torch import save as packed

    folder = Path(folder)
    factory: Any = library.adapter_factory
    check_replaceable(folder)
    if type(factory).__name__ not in FACTORIES:
        raise InputError(
            "adapter_factory", f"must be one of {', '.join(FACTORIES)} to be saved", type(factory).__name__
        )
    probe = library.encoder.encode(["holdfast"])[0]
    vectors = [expert.vectors for expert in library.experts.values()]
    manifest: dict[str, Any] = {
        "format": FORMAT, "base": described(library.base), "encoder": {"name": library.encoder.name, "dim": len(probe)},
        "probe": [round(float(x), 4) for x in probe], "adapters": {"kind": type(factory).__name__, **asdict(factory)},
        "text_format": library.text_format, "seed": library.seed, "start": library.start_id,
        "min_margin": library.min_margin, "min_likeness": library.min_likeness,
        "multitask": library.multitask is not None,
        "experts": [
            {"name": name, "file": f"expert-{i:04d}.safetensors", "stored": len(expert.vectors), "start": expert.start,
             "metadata": dict(expert.metadata)}
            for i, (name, expert) in enumerate(library.experts.items())
        ],
    }  # fmt: skip
    with replacing_folder(folder) as new:
        for about, expert in zip(manifest["experts"], library.experts.values(), strict=True):
            (new / about["file"]).write_bytes(packed(expert.state))
        if library.multitask is not None:
            (new / MULTITASK).write_bytes(packed(library.multitask))
        np.save(new / INDEX, np.concatenate(vectors) if vectors else np.zeros((0, len(probe)), np.float16))
        write_json(new / MANIFEST, manifest)
    return folder


def load(
    folder: str | Path, *, base: Base | None = None, encoder: TextEncoder | None = None, model: str | Path | None = None
) -> ExpertLibrary:
    """Read a library.

    Args:
        folder: that `save` wrote.
        base: the one that the experts were trained on; None makes it from the manifest.
        encoder: the one that made the index; None = the packaged one.
        model: where the language model is now, if it has moved.

    Raises:
        InputError: no library; another base or encoder than the one it was made with; a damaged file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError("folder", f"must be a library of experts, with {MANIFEST}", str(folder))
    about = read_json(folder / MANIFEST)
    try:
        if about["format"] != FORMAT:
            raise InputError("folder", f"must be of format {FORMAT}", about["format"])
        encoder = encoder or _default(about["encoder"]["name"])
        probe = encoder.encode(["holdfast"])[0]
        made, now = about["encoder"], {"name": encoder.name, "dim": len(probe)}
        if made != now or np.abs(probe - np.asarray(about["probe"])).max() > NEAR:
            raise InputError("encoder", f"must be the one that the library was made with, {made}", now)
        base = base or remade(about["base"], encoder, model)
        if described(base)["id"] != about["base"]["id"]:
            raise InputError("base", f"must be {about['base']['id']!r}, whose experts these are", base.id)
        settings = dict(about["adapters"])
        library = ExpertLibrary(
            base, FACTORIES[settings.pop("kind")](**settings), encoder, about["text_format"], seed=about["seed"],
            min_margin=about["min_margin"], min_likeness=about["min_likeness"],
        )  # fmt: skip
        index = np.load(folder / INDEX, mmap_mode="r", allow_pickle=False)
        parts = np.split(index, np.cumsum([one["stored"] for one in about["experts"]]))
        for one, part in zip(about["experts"], parts[:-1], strict=True):
            state = load_file(folder / Path(one["file"]).name)
            library.add_expert(one["name"], Expert(state, np.asarray(part), one["start"], one["metadata"]))
        if len(parts[-1]):
            raise InputError("folder", f"must have as many vectors in {INDEX} as it says", len(index))
        if about["multitask"]:
            library.multitask = load_file(folder / MULTITASK)
    except InputError:
        raise
    except (OSError, KeyError, TypeError, ValueError, SafetensorError) as error:
        raise InputError("folder", "must be a library of experts that is whole", f"{folder}: {error!r}") from error
    return library


def opened(model: str | Path | None, where: str) -> ExpertLibrary:
    """A new library on a language model's folder, or on the packaged sentence encoder."""
    from holdfast.encoders.sentences import default_encoder

    encoder: TextEncoder = default_encoder()
    return ExpertLibrary(SentenceBase(encoder) if model is None else AdaptedModel(model, where), encoder=encoder)


def check_replaceable(folder: Path) -> None:
    """Refuse to write over anything that is neither a library nor empty.

    Raises:
        InputError: it is something else.
    """
    if folder.exists() and not (folder.is_dir() and ((folder / MANIFEST).is_file() or not any(folder.iterdir()))):
        raise InputError("folder", "must be a library, empty or new", str(folder))


def described(base: Base) -> dict[str, Any]:
    """What the manifest says of a base."""
    if isinstance(base, SentenceBase):
        return {"kind": "sentences", "id": base.id, "tau": base.tau}
    if isinstance(base, AdaptedModel):
        return {"kind": "language model", "id": base.id, "where": base.where, "folder": str(base.folder)}
    return {"kind": "own", "id": base.id}


def remade(about: dict[str, Any], encoder: TextEncoder, model: str | Path | None) -> Base:
    """The base that a manifest describes.

    Raises:
        InputError: one of the user's own, which must be given.
    """
    if about["kind"] == "sentences":
        return SentenceBase(encoder, about["tau"])
    if about["kind"] == "language model":
        return AdaptedModel(model or about["folder"], about["where"])
    raise InputError("base", "must be given: these experts are on a base of one's own", about["id"])


def _default(name: str) -> TextEncoder:
    from holdfast.encoders.sentences import SentenceEncoder, default_encoder

    return SentenceEncoder(name) if Path(name).is_dir() else default_encoder()


__all__ = ["check_replaceable", "load", "opened", "save"]
