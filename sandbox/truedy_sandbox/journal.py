"""The state file: one JSON line per change, written before the answer is sent, read back at the start."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Journal:
    """
    An append-only file. A line is with the operating system before its answer is sent, so a SIGKILL of this
    process loses nothing that was answered; a last line that was cut short was never answered and is dropped.

    :param path: the file; ``None`` keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: int | None = None

    def read(self) -> Iterator[dict[str, Any]]:
        """Return what was written so far, and cut off a torn last line."""
        if self._path is None or not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as lines:
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                yield json.loads(line)
                whole += len(line)
        os.truncate(self._path, whole)

    def write(self, entry: dict[str, Any]) -> None:
        """Append one entry."""
        if self._path is None:
            return
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        data = memoryview(json.dumps(entry, separators=(",", ":")).encode() + b"\n")
        while data:
            data = data[os.write(self._file, data) :]

    def clear(self) -> None:
        """Forget everything."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
