"""The closed list of reasons why a row did not become a contact."""

from __future__ import annotations

from enum import Enum

_AS_TEXT = "CAST the column of the number to text where it comes from, or format it as text before saving"


class Reason(str, Enum):
    """
    Why a row was refused. The value is its code in rejects files and manifests.

    :ivar explanation: what is wrong with the row.
    :ivar advice: what to do about rows that were refused for it; the explanation, where there is nothing to advise.
    """

    _value_: str
    explanation: str
    advice: str

    def __new__(cls, code: str, explanation: str = "", advice: str = "") -> Reason:
        """Make the reason with this code."""
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.explanation, reason.advice = explanation, advice or explanation
        return reason

    # What stood in the cell
    EMPTY = (
        "empty",
        "the cell of the number is empty",
        "leave such rows out of the query, or name another column in columns",
    )
    NOT_A_NUMBER = "not_a_number", "the cell holds something else than a phone number"
    EXPONENT = "exponent", "a spreadsheet wrote the number as 4.47912E+11, digits are lost", _AS_TEXT
    DECIMAL_TAIL = "decimal_tail", "the number was kept as a decimal such as 447911123456.0", _AS_TEXT
    THOUSANDS_SEPARATORS = "thousands_separators", "a spreadsheet wrote the number with thousands separators", _AS_TEXT
    SPREADSHEET_ERROR = "spreadsheet_error", "a spreadsheet error such as #N/A or ######"
    LETTERS = "letters", "letters between the digits"
    NOTE = (
        "note",
        "words or marks beside the number that a person has to read, such as a name, 'do not call' or a cross",
    )
    SEVERAL_NUMBERS = (
        "several_numbers",
        "more than one number in the cell, or digits that may belong to a label, an hour or a year",
    )
    AMBIGUOUS = "ambiguous", "two people's numbers: with and without its country code (or a zero); write it with a +"
    # In which region it was read
    NO_COUNTRY_CODE = (
        "no_country_code",
        "no + and country code, and no region was stated to read it in",
        'state region="US", or write the numbers with + and country code',
    )
    REGION_MISSING = "region_missing", "no + and country code, and the region column is empty", "fill the region column"
    REGION_UNKNOWN = (
        "region_unknown",
        "no + and country code, and the region column holds no ISO 3166 code",
        "the region column must hold ISO 3166 codes such as US or GB",
    )
    # Not a number that can exist
    UNKNOWN_COUNTRY_CODE = "unknown_country_code", "no country has this country code"
    TOO_SHORT = "too_short", "too few digits for its country", "is the region the right one?"
    TOO_LONG = "too_long", "too many digits for its country or for E.164", "is the region the right one?"
    WRONG_LENGTH = "wrong_length", "a number of digits that its country does not use"
    NO_AREA_CODE = "no_area_code", "the area code is missing", "add the area codes"
    NOT_VALID = "not_valid", "right length, but its country gives out no such number", "is the region the right one?"
    SHORT_NUMBER = "short_number", "a short or emergency number"
    # A number that exists and is not called unless it is allowed
    EXTENSION = "extension", "has an extension, which a call to an E.164 number cannot dial"
    TOLL_FREE = "toll_free", "toll-free number"
    PREMIUM_RATE = "premium_rate", "premium-rate number"
    SHARED_COST = "shared_cost", "shared-cost number"
    PERSONAL_NUMBER = "personal_number", "personal (follow-me) number"
    PAGER = "pager", "pager"
    UAN = "uan", "universal access number of a company"
    VOICEMAIL = "voicemail", "access number of a voicemail box"
    GLOBAL_NETWORK = "global_network", "satellite or other network that belongs to no country"
    # The rest of the row
    UNREADABLE_ROW = (
        "unreadable_row",
        "cells that do not fit the header, or a line that is not one JSON object with each key once",
        "do the encoding, delimiter and header of the file fit?",
    )
    UNREADABLE_TEXT = (
        "unreadable_text",
        "a value cannot be sent as text (bytes, broken characters), or is too long to split by",
    )
    NAME_TOO_LONG = "name_too_long", "a name of more than 100 characters"
    BAD_EMAIL = (
        "bad_email",
        "the e-mail column holds something else than an address",
        "leave email out of columns if the agent does not need it",
    )
    MISSING_VALUE = "missing_value", "a required column is empty"
    # Whether the person agreed, and when a call is allowed where the person is (calling_hours.PlaceRefusal)
    NO_CONSENT = (
        "no_consent",
        "no date of consent that can be relied on, or it is for something else",
        "do the dates have the form 2026-11-25, and do the scopes fit?",
    )
    CONSENT_EXPIRED = "consent_expired", "the consent is older than max_age"
    UNKNOWN_PLACE = (
        "unknown_place",
        "it is unknown in which zone the person is",
        "name columns of zone, ZIP code, state or country in PlaceColumns, and fill them",
    )
    NO_CALLING_RULES = (
        "no_calling_rules",
        "no rule says when people of this country may be called",
        "state a rule of your own for this country in own_rules",
    )
    NO_CALLING_HOURS = (
        "no_calling_hours",
        "the rules and limits that apply leave no hour in which the person may be called",
    )
    # Could be called, but not again or not at all; counted on their own
    DUPLICATE = "duplicate", "another row has the same number"
    SUPPRESSED = "suppressed", "the number is on a do-not-call list"
    # Found at the launch, see :mod:`.launched`
    IN_ANOTHER_PART = "in_another_part", "the person is, or may be, in the campaign of another part of the list"


#: Kinds of valid numbers that are refused unless they are allowed; landlines, mobiles and VoIP numbers need no leave.
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
