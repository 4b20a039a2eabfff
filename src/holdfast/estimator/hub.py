"""Sending model folders to the Hugging Face Hub and fetching them, or doing the same with an ordinary folder offline.

A model folder (`Estimator.save`) already has the Hub's layout: `config.json`, `model.safetensors` and a model card.
With `hub=` a folder on a shared disk plays the Hub: the repository "owner/name" is the folder `<hub>/owner/name`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

from holdfast.errors import HoldfastError, InputError, MissingExtra
from holdfast.estimator import modelfolder

PATTERNS = sorted([*modelfolder.OURS, "*.skops"])  # nothing else is sent or fetched: a model is data, never code


def push(
    folder: str | Path, repo_id: str, *, hub: str | Path | None = None, private: bool = True, message: str = "Model"
) -> str:
    """Send a model folder.

    Args:
        folder: written by `Estimator.save`.
        repo_id: "owner/name".
        hub: a folder that plays the Hub; None = huggingface.co, as the user logged in with `hf auth login`.
        private: whether a repository that has to be made is private.
        message: of the commit.

    Returns:
        The address of the repository or the path of its folder.

    Raises:
        InputError: not a model folder, or a malformed repo_id.
        MissingExtra: huggingface-hub is not installed.
        HoldfastError: the Hub cannot be reached or refuses.

    Example:
        >>> from holdfast.estimator.hub import push
        >>> push("model", "somebody/digits", hub="/mnt/models")                       # doctest: +SKIP
        '/mnt/models/somebody/digits'
    """
    folder = Path(folder)
    modelfolder.read(folder)
    _check_repo(repo_id)
    if hub is not None:
        _copy(folder, Path(hub) / repo_id)
        return str(Path(hub) / repo_id)
    library = _library()

    def send() -> str:
        api = library.HfApi()
        api.create_repo(repo_id, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo_id, folder_path=folder, allow_patterns=PATTERNS, commit_message=message)
        return f"https://huggingface.co/{repo_id}"

    return _reached(send, f"send {folder} to {repo_id}")


def pull(repo_id: str, folder: str | Path, *, hub: str | Path | None = None, revision: str | None = None) -> Path:
    """Fetch a model folder, whole or not at all; it replaces an earlier model in `folder`.

    Args:
        repo_id: "owner/name".
        folder: where the model shall be; load it with `TheEstimator.load(folder)`.
        hub: a folder that plays the Hub; None = huggingface.co.
        revision: branch, tag or commit on huggingface.co; None = its main branch.

    Raises:
        InputError: no holdfast model there, a malformed repo_id, or `folder` holds something else than a model.
        MissingExtra: huggingface-hub is not installed.
        HoldfastError: the Hub cannot be reached or refuses.
    """
    folder = Path(folder)
    _check_repo(repo_id)
    if hub is not None:
        if revision is not None:
            raise InputError("revision", "must be None where a folder plays the Hub: it has no history", revision)
        _copy(Path(hub) / repo_id, folder)
        return folder
    modelfolder.check_replaceable(folder)
    library = _library()
    with tempfile.TemporaryDirectory() as work:
        _reached(
            lambda: library.snapshot_download(repo_id, revision=revision, local_dir=work, allow_patterns=PATTERNS),
            f"fetch {repo_id}",
        )
        _copy(Path(work), folder)
    return folder


def _check_repo(repo_id: str) -> None:
    part = r"[A-Za-z0-9][A-Za-z0-9_.-]*"
    if not re.fullmatch(f"{part}/{part}", repo_id) or ".." in repo_id:
        raise InputError("repo_id", 'must be "owner/name" of letters, digits, "-", "_" and "."', repo_id)


def _copy(source: Path, target: Path) -> None:
    """The model in `source` as a model folder at `target`."""
    modelfolder.read(source)
    files = [p for pattern in PATTERNS for p in source.glob(pattern) if p.is_file()]
    with modelfolder.replacing_folder(target) as new:
        for file in files:
            shutil.copyfile(file, new / file.name)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as e:
        raise MissingExtra("huggingface-hub", "hub") from e
    return huggingface_hub


def _reached(action: Any, what: str) -> Any:
    """Run an action on the Hub and say in one line why it failed."""
    library = _library()
    try:
        return action()
    except library.errors.OfflineModeIsEnabled as e:
        raise HoldfastError(f"cannot {what}: HF_HUB_OFFLINE is set; unset it, or use hub=<folder>") from e
    except (library.errors.HfHubHTTPError, OSError) as e:  # connection errors of the client are OSErrors or wrapped so
        reason = " ".join(str(e).split())[:200] or type(e).__name__
        raise HoldfastError(f"cannot {what}: {reason}") from e


__all__ = ["pull", "push"]
