"""The closed list of reasons why a row did not become a contact."""

from __future__ import annotations

from enum import Enum


class Reason(str, Enum):
    """Why a row was refused. The value is its code in rejects files and manifests."""

    # What stood in the cell
    EMPTY = "empty"
    NOT_A_NUMBER = "not_a_number"
    EXPONENT = "exponent"
    DECIMAL_TAIL = "decimal_tail"
    THOUSANDS_SEPARATORS = "thousands_separators"
    SPREADSHEET_ERROR = "spreadsheet_error"
    LETTERS = "letters"
    NOTE = "note"
    SEVERAL_NUMBERS = "several_numbers"
    AMBIGUOUS = "ambiguous"
    # In which region it was read
    NO_COUNTRY_CODE = "no_country_code"
    REGION_MISSING = "region_missing"
    REGION_UNKNOWN = "region_unknown"
    # Not a number that can exist
    UNKNOWN_COUNTRY_CODE = "unknown_country_code"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    WRONG_LENGTH = "wrong_length"
    NO_AREA_CODE = "no_area_code"
    NOT_VALID = "not_valid"
    SHORT_NUMBER = "short_number"
    # A number that exists and is not called unless it is allowed
    EXTENSION = "extension"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"
    GLOBAL_NETWORK = "global_network"
    # The rest of the row
    UNREADABLE_ROW = "unreadable_row"
    UNREADABLE_TEXT = "unreadable_text"
    NAME_TOO_LONG = "name_too_long"
    BAD_EMAIL = "bad_email"
    MISSING_VALUE = "missing_value"
    # Whether the person agreed, and when a call is allowed where the person is (calling_hours.PlaceRefusal)
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    UNKNOWN_PLACE = "unknown_place"
    NO_CALLING_RULES = "no_calling_rules"
    NO_CALLING_HOURS = "no_calling_hours"
    # Could be called, but not again or not at all; counted on their own
    DUPLICATE = "duplicate"
    SUPPRESSED = "suppressed"
    #: Found at the launch, see :mod:`.launched`
    IN_ANOTHER_PART = "in_another_part"


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

EXPLANATIONS: dict[Reason, str] = {
    Reason.EMPTY: "the cell of the number is empty",
    Reason.NOT_A_NUMBER: "the cell holds something else than a phone number",
    Reason.EXPONENT: "a spreadsheet wrote the number as 4.47912E+11, digits are lost",
    Reason.DECIMAL_TAIL: "the number was kept as a decimal such as 447911123456.0",
    Reason.THOUSANDS_SEPARATORS: "a spreadsheet wrote the number with thousands separators",
    Reason.SPREADSHEET_ERROR: "a spreadsheet error such as #N/A or ######",
    Reason.LETTERS: "letters between the digits",
    Reason.NOTE: "words or marks beside the number that a person has to read, such as a name, 'do not call' or a cross",
    Reason.SEVERAL_NUMBERS: "more than one number in the cell, or digits that may belong to a label, an hour or a year",
    Reason.AMBIGUOUS: "two people's numbers: with and without its country code (or a zero); write it with a +",
    Reason.NO_COUNTRY_CODE: "no + and country code, and no region was stated to read it in",
    Reason.REGION_MISSING: "no + and country code, and the region column is empty",
    Reason.REGION_UNKNOWN: "no + and country code, and the region column holds no ISO 3166 code",
    Reason.UNKNOWN_COUNTRY_CODE: "no country has this country code",
    Reason.TOO_SHORT: "too few digits for its country",
    Reason.TOO_LONG: "too many digits for its country or for E.164",
    Reason.WRONG_LENGTH: "a number of digits that its country does not use",
    Reason.NO_AREA_CODE: "the area code is missing",
    Reason.NOT_VALID: "right length, but its country gives out no such number",
    Reason.SHORT_NUMBER: "a short or emergency number",
    Reason.EXTENSION: "has an extension, which a call to an E.164 number cannot dial",
    Reason.TOLL_FREE: "toll-free number",
    Reason.PREMIUM_RATE: "premium-rate number",
    Reason.SHARED_COST: "shared-cost number",
    Reason.PERSONAL_NUMBER: "personal (follow-me) number",
    Reason.PAGER: "pager",
    Reason.UAN: "universal access number of a company",
    Reason.VOICEMAIL: "access number of a voicemail box",
    Reason.GLOBAL_NETWORK: "satellite or other network that belongs to no country",
    Reason.UNREADABLE_ROW: "cells that do not fit the header, or a line that is not one JSON object with each key once",
    Reason.UNREADABLE_TEXT: "a value cannot be sent as text (bytes, broken characters), or is too long to split by",
    Reason.NAME_TOO_LONG: "a name of more than 100 characters",
    Reason.BAD_EMAIL: "the e-mail column holds something else than an address",
    Reason.MISSING_VALUE: "a required column is empty",
    Reason.NO_CONSENT: "no date of consent that can be relied on, or it is for something else",
    Reason.CONSENT_EXPIRED: "the consent is older than max_age",
    Reason.UNKNOWN_PLACE: "it is unknown in which zone the person is",
    Reason.NO_CALLING_RULES: "no rule says when people of this country may be called",
    Reason.NO_CALLING_HOURS: "the rules and limits that apply leave no hour in which the person may be called",
    Reason.DUPLICATE: "another row has the same number",
    Reason.SUPPRESSED: "the number is on a do-not-call list",
    Reason.IN_ANOTHER_PART: "the person is in the campaign of another part of the list",
}

_AS_TEXT = "CAST the column of the number to text where it comes from, or format it as text before saving"
_ADVICE: dict[Reason, str] = {
    Reason.EMPTY: "leave such rows out of the query, or name another column in columns",
    Reason.EXPONENT: _AS_TEXT,
    Reason.DECIMAL_TAIL: _AS_TEXT,
    Reason.THOUSANDS_SEPARATORS: _AS_TEXT,
    Reason.NO_COUNTRY_CODE: 'state region="US", or write the numbers with + and country code',
    Reason.REGION_MISSING: "fill the region column",
    Reason.REGION_UNKNOWN: "the region column must hold ISO 3166 codes such as US or GB",
    Reason.NO_AREA_CODE: "add the area codes",
    Reason.NOT_VALID: "is the region the right one?",
    Reason.TOO_SHORT: "is the region the right one?",
    Reason.TOO_LONG: "is the region the right one?",
    Reason.BAD_EMAIL: "leave email out of columns if the agent does not need it",
    Reason.NO_CONSENT: "do the dates have the form 2026-11-25, and do the scopes fit?",
    Reason.UNKNOWN_PLACE: "name columns of zone, ZIP code, state or country in PlaceColumns, and fill them",
    Reason.NO_CALLING_RULES: "state a rule of your own for this country in own_rules",
    Reason.UNREADABLE_ROW: "do the encoding, delimiter and header of the file fit?",
}


def advice_for(reason: Reason) -> str:
    """Return what to do about rows that were refused for this reason."""
    return _ADVICE.get(reason, EXPLANATIONS[reason])
