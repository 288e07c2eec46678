"""Read the documents: their blocks of code, and their links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONTRADICTIONS = ROOT / "docs" / "dev" / "api-contradictions.md"
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def blocks(document: Path, language: str) -> list[str]:
    """Return the blocks of code in one language."""
    return [text for found, text in _BLOCK.findall(document.read_text(encoding="utf-8")) if found == language]


def links(document: Path) -> list[str]:
    """Return the targets of the document's links."""
    return _LINK.findall(document.read_text(encoding="utf-8"))


def first_dag() -> str:
    """Return the README's first Dag."""
    return blocks(ROOT / "README.md", "python")[0]
