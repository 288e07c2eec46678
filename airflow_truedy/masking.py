"""What may be shown of a person: the last two digits of a phone number, nothing else."""

from __future__ import annotations

_SHOWN_DIGITS = 2


def mask_number(number: str) -> str:
    """
    Hide a phone number but for its last two digits, e.g. ``+*********67``.

    :param number: a phone number in any form; a leading ``+`` is kept so that its form can be seen.
    """
    sign = "+" if number.startswith("+") else ""
    digits = number[len(sign) :]
    shown = digits[-_SHOWN_DIGITS:] if len(digits) > 2 * _SHOWN_DIGITS else ""
    return f"{sign}{'*' * (len(digits) - len(shown))}{shown}"
