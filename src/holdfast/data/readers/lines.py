"""Text files of one sentence a line, as parallel corpora are kept."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import InputError


def read_lines(path: Path, name: str) -> list[str]:
    """The lines of a file in UTF-8; an empty line is an empty sentence.

    Args:
        path: of the file; line ends of Windows are as good as others.
        name: of the argument, for messages.

    Raises:
        InputError: no such file, not UTF-8, or nothing but empty lines.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "a.de"
        >>> _ = file.write_text("Hallo.\\n\\nWelt.\\n")
        >>> read_lines(file, "src")
        ['Hallo.', '', 'Welt.']
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(name, "must be a text file in UTF-8, a sentence a line", f"{path}: {error}") from None
    lines = [line.rstrip("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]
    if not any(line.strip() for line in lines):
        raise InputError(name, "must hold sentences, one a line", f"{path}, {len(lines)} empty lines")
    return lines


__all__ = ["read_lines"]
