"""What somebody who reads a report should know beforehand: the sentences of lib/report/warnings.ts."""
from __future__ import annotations

from datetime import datetime
from typing import Any, Mapping

from .settings import UNKNOWN_REGION

# Addresses change hands.
_OLD_AFTER_DAYS = 365
_MANY_UNKNOWN = 0.1
_MANY_REJECTED = 0.01
_LARGE_ROW = 0.1
_MANY_ROWS = 1000


def warnings_of(summary: Mapping[str, Any], result: Mapping[str, Any], now: datetime, *, embedded: bool, by_user: bool) -> list[str]:
    rows, unknown, built = summary['rows'], summary['unknownRegion'], summary['geoDatabase']['buildDate']
    warnings: list[str] = []
    days = _days_since(built, now)
    if days is not None and days > _OLD_AFTER_DAYS:
        what = 'update etl-stream, or name' if embedded else 'name'
        warnings.append(f'The IP database is {int(days)} days old ({built[:10]}): {what} a newer one with --geo-db.')
    if unknown > rows['counted'] * _MANY_UNKNOWN:
        warnings.append(
            f'{_percent(unknown / rows["counted"])} of the logs counted have an address without a region and are in {UNKNOWN_REGION}: '
            'is --ip-column the address of the viewer, and not that of a proxy?')
    if rows['rejected'] > rows['read'] * _MANY_REJECTED:
        warnings.append(
            f'{_percent(rows["rejected"] / rows["read"])} of the rows were rejected: see {summary["rejectsFile"]}, mend it, and add it to the inputs.')
    share = float(result['top'][0]['total']) / float(result['total']) if result['top'] and float(result['total']) else 0.0
    if result['rows'] >= _MANY_ROWS and share > _LARGE_ROW:
        who = 'user' if by_user else 'user in one region'
        warnings.append(f'One {who} of {result["rows"]:,} has {_percent(share)} of all watch time: a test account, or a default value?')
    return warnings


def _days_since(built: str, now: datetime) -> float | None:
    try:
        when = datetime.fromisoformat(built.replace('Z', '+00:00'))
    except ValueError:
        return None
    return (now - (when if when.tzinfo else when.replace(tzinfo=now.tzinfo))).total_seconds() / 86400


def _percent(share: float) -> str:
    return f'{100 * share:.1f} %'
