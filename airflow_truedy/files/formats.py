"""Which kind of file something is: by the ending of its name, and by its first bytes where they say otherwise."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from airflow_truedy.files.errors import RowsFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

FORMATS = ("csv", "jsonl", "parquet", "excel")
ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
}
GZIP = b"\x1f\x8b"
#: From so many digits on, something may be a phone number.
DIGITS_OF_A_NUMBER = 7
_PARQUET = "a Parquet file; state format='parquet'"
_EXCEL = "an Excel workbook; state format='excel', or save the sheet as CSV"
_PAGE = "a web page, perhaps one to sign in at; fetch the file itself"
_is_json = re.compile(rb'(\[\s*)?\{\s*"').match
#: First bytes -> what the file is, and the formats that such a file may be read as.
_MAGIC: tuple[tuple[bytes, str, tuple[str, ...]], ...] = (
    (b"PAR1", _PARQUET, ("parquet",)),
    (b"PK\x03\x04", f"a ZIP archive or {_EXCEL}", ("excel",)),
    (b"\xd0\xcf\x11\xe0", f"an old Office document or {_EXCEL}", ("excel",)),
    (b"%PDF", "a PDF document; export the table it was made from as CSV", ()),
    (b"SQLite format 3", "an SQLite database; read it through a connection with SqlToContactsOperator", ()),
    (b"BZh91AY&SY", "compressed by bzip2; unpack it, or compress it by gzip", ()),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it, or compress it by gzip", ()),
    (b"\xfd7zXZ", "compressed by xz; unpack it, or compress it by gzip", ()),
    (b"\x04\x22\x4d\x18", "compressed by LZ4; unpack it, or compress it by gzip", ()),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it", ()),
    (b"Obj\x01", "an Avro file; write it as Parquet, JSON Lines or CSV", ()),
    (b"<!doctype html", _PAGE, ()),
    (b"<html", _PAGE, ()),
    (b"<error", "an error of an object store; look at the address and its rights", ()),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself", ()),
    (b"-----begin pgp", "encrypted by PGP; decrypt it first", ()),
    (b"<?xml", "an XML document; write it as CSV, JSON Lines or Parquet", ()),
    (b"{\\rtf", "a text document; save the table as CSV", ()),
)


def kind_of(name: str) -> str | None:
    """Return the format that a file's name says, in any case and with or without ``.gz``; ``None`` if it says none."""
    bare = name.lower().removesuffix(".gz")
    return next((kind for ending, kind in ENDINGS.items() if bare.endswith(ending)), None)


def format_of(name: str, stated: str | None = None) -> str:
    """
    Return the format of a file.

    :param name: its name, path or address.
    :param stated: the format that the user stated; it wins.
    :raises RowsFileError: the name says none, or the stated one does not exist.
    """
    if stated is not None and stated not in FORMATS:
        raise RowsFileError(f"format={stated!r} is none of {FORMATS}")
    if kind := stated or kind_of(name):
        return kind
    told = "(not shown, it may be a person)" if may_be_somebody(name) else name
    raise RowsFileError(f"The name {told} does not end in {', '.join(ENDINGS)}; state format= ({', '.join(FORMATS)})")


def may_be_somebody(name: str) -> bool:
    """Tell whether a text in place of a path is rather a person: a number or address, without folder or ending."""
    holds_somebody = "@" in name or sum(map(str.isdigit, name)) >= DIGITS_OF_A_NUMBER
    return holds_somebody and "/" not in name and kind_of(name) is None


def told_columns(names: Iterable[object]) -> list[str]:
    """
    Return names of columns as an error may show them. In a mapping from number to name the keys are people, and so is
    the first line of a file without header.
    """
    texts = sorted(map(str, names))
    told = [text for text in texts if not may_be_somebody(text)]
    return told if len(told) == len(texts) else [*told, "(others are not shown, they may be people)"]


def check_first_bytes(path: object, kind: str, first: bytes) -> None:
    """
    Check that a file is not obviously of another kind than it is read as.

    :param first: its first bytes, unpacked; a few are enough.
    :raises RowsFileError: it is; the message says what it is and what to do.
    """
    text = first.removeprefix(codecs.BOM_UTF8).lstrip().lower()
    for magic, what, fitting in _MAGIC:
        if (first.startswith(magic) or text.startswith(magic)) and kind not in fitting:
            raise RowsFileError(f"{path} is not {kind}: it is {what}")
    if kind == "csv" and _is_json(text):
        raise RowsFileError(f"{path} is not csv: it is JSON; state format='jsonl' if each line is an object")
    if kind == "parquet" and not first.startswith(b"PAR1"):
        raise RowsFileError(
            f"{path} is not parquet: it does not begin with PAR1. State format= if it is something else"
        )
