"""Which kinds of valid numbers a campaign may ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_truedy.contacts.reasons import Reason

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Kinds that are refused unless a policy allows them. Landlines, mobiles and VoIP numbers are always taken.
ALLOWABLE = frozenset(
    {
        Reason.EXTENSION,
        Reason.TOLL_FREE,
        Reason.PREMIUM_RATE,
        Reason.SHARED_COST,
        Reason.PERSONAL_NUMBER,
        Reason.PAGER,
        Reason.UAN,
        Reason.VOICEMAIL,
        Reason.GLOBAL_NETWORK,
    }
)


@dataclass(frozen=True)
class NumberPolicy:
    """
    Which kinds of valid numbers are taken besides landlines, mobiles and VoIP numbers.

    :param allow: codes of kinds to take: ``extension`` (the number is taken and its extension dropped),
        ``toll_free``, ``premium_rate``, ``shared_cost``, ``personal_number``, ``pager``, ``uan``,
        ``voicemail``, ``global_network``. Default: none.
    :raises ValueError: a code is not one of these.
    """

    allow: frozenset[Reason] = frozenset()

    def __init__(self, allow: Iterable[Reason | str] = ()) -> None:
        codes = [allow] if isinstance(allow, str) else list(allow)
        known = {reason.value for reason in ALLOWABLE}
        unknown = sorted(str(code) for code in codes if code not in known)
        if unknown:
            raise ValueError(f"Cannot allow {unknown}; a policy may allow {sorted(known)}")
        object.__setattr__(self, "allow", frozenset(Reason(code) for code in codes))

    @classmethod
    def everything(cls) -> NumberPolicy:
        """
        Take every valid number; right for do-not-call lists, where a refused entry would be a called person.
        """
        return cls(ALLOWABLE)
