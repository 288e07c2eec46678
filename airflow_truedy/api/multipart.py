"""A ``multipart/form-data`` body as bytes, the same bytes for the same parts."""

from __future__ import annotations

import hashlib


def encode(fields: dict[str, str], file_name: str, content: bytes) -> tuple[bytes, str]:
    """
    Encode text fields and one CSV file.

    :param fields: the text parts.
    :param file_name: the file's name as the server shall see it.
    :param content: the file's bytes.
    :return: the body and its content type.
    """
    # From the content, not from chance: a repeat must be byte-identical. 128 bits of a hash do not occur
    # inside.
    boundary = hashlib.sha256(content).hexdigest()[:32]
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    safe_name = "".join("_" if char in '"\\' or not char.isprintable() else char for char in file_name)
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{safe_name}"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    )
    body = b"".join([*parts, head.encode(), content, f"\r\n--{boundary}--\r\n".encode()])
    return body, f"multipart/form-data; boundary={boundary}"
