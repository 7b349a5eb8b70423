"""Decimal places of the value, by the start of an input: lib/parse/sample.ts."""
from __future__ import annotations

import re

from .head import Head
from .header import Places

MAX_VALUE_SCALE = 6
_PLACES = re.compile(rb'[ \t]*[+-]?(?:[0-9]+\.|\.(?=[0-9]))([0-9]*)[ \t]*')


def scale_of(head: Head, places: Places) -> int | None:
    """The most that any value has, zeros at their ends not counted; None: there is no record to tell by."""
    scale = None
    for value in head.fields(places.width, places.columns['value']):
        scale = max(scale or 0, decimals(value))
    return None if scale is None else min(scale, MAX_VALUE_SCALE)


def decimals(value: bytes) -> int:
    """Significant decimal places; 0 when it is no number."""
    match = _PLACES.fullmatch(value)
    return len(match[1].rstrip(b'0')) if match else 0
