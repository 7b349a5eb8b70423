"""Totals as text, and the buckets in which they are told (lib/report/decimal.ts, buckets.ts)."""
from __future__ import annotations

from typing import Mapping

# 1, 2 and 5 times powers of ten, as far as 64 bits go: in units of the totals' last decimal place.
BOUNDS = [step * 10 ** power for power in range(19) for step in (1, 2, 5) if step * 10 ** power < 2 ** 63]


def decimal(units: int, scale: int) -> str:
    """Units of 10^-scale: 1250 of scale 2 is `12.50`."""
    digits = str(abs(units)).zfill(scale + 1)
    sign = '-' if units < 0 else ''
    return sign + digits if scale == 0 else f'{sign}{digits[:-scale]}.{digits[-scale:]}'


def buckets_of(rows: Mapping[int, int], scale: int) -> list[dict[str, object]]:
    """
    From the first to the last that has a row, those between without rows included. `rows`: by bucket, n that of BOUNDS[n - 1] and more,
    0 that of 0, -n that of the same distance below 0.
    """
    edges = [0, *BOUNDS, 2 ** 63]
    there = [bucket for bucket, n in rows.items() if n > 0]
    if not there:
        return []

    def told(bucket: int) -> dict[str, object]:
        low, high = (edges[bucket], edges[bucket + 1]) if bucket >= 0 else (-edges[1 - bucket], -edges[-bucket])
        return {'from': decimal(low, scale), 'to': decimal(high, scale), 'rows': rows.get(bucket, 0)}
    return [told(bucket) for bucket in range(min(there), max(there) + 1)]
