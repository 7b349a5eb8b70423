"""From the names in an input's header to the places of the wanted columns: lib/parse/header.ts, in whose words errors are."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Sequence

from .errors import JobError
from .settings import Settings

_OPTIONS = {'id': '--id-column', 'user': '--user-column', 'ip': '--ip-column', 'value': '--value-column'}
# By which a file of rejects that were mended is known.
_MENDED_COLUMN = '_reject_code'
# Names that an error lists.
_LISTED = 50


@dataclass(frozen=True)
class Places:
    """Places count from 0. `width`: fields that every record must have; `ruled`: of columns that have rules, besides the four, -1: not there."""
    width: int
    columns: Mapping[str, int]
    ruled: tuple[int, ...]


def map_header(names: Sequence[str], settings: Settings, name: str) -> Places:
    """Finds each wanted column; names are compared exactly. Raises ETL_HEADER with every column at fault."""
    wanted = settings.columns
    if all(not _trimmed(each) for each in names):
        raise JobError('ETL_HEADER', f'The header of {name} is empty.', 'The first line must name the columns.')
    if _MENDED_COLUMN in names:
        hint = 'Feed it to a run without --engine spark, or leave the column out.'
        raise JobError('ETL_HEADER', f'The input {name} is a file of rejects, with a column {_MENDED_COLUMN}, and a Spark job takes those as logs.', hint)
    first = {each: at for at, each in reversed(list(enumerate(names)))}
    missing = [f'{_shown(wanted[role])} ({option})' for role, option in _OPTIONS.items() if wanted[role] not in first]
    missing += [f'{_shown(each)} (--rule)' for each in settings.ruled if each not in first]
    repeated = [f'the column {_shown(wanted[role])} more than once ({option})' for role, option in _OPTIONS.items() if names.count(wanted[role]) > 1]
    repeated += [f'the column {_shown(each)} more than once (--rule)' for each in settings.ruled if names.count(each) > 1]
    faults = ([f'no column {", ".join(missing)}'] if missing else []) + repeated
    if faults:
        found = ', '.join(map(_shown, names[:_LISTED])) + (f' and {len(names) - _LISTED} more' if len(names) > _LISTED else '')
        raise JobError('ETL_HEADER', f'The header of {name} has {", and ".join(faults)}.', (
            f'It has {found}. The options in parentheses choose columns by other names; --delimiter says what stands between fields.'
        ))
    return Places(len(names), {role: first[wanted[role]] for role in _OPTIONS}, tuple(first[each] for each in settings.ruled))


def _trimmed(name: str) -> str:
    return name.strip().strip('\ufeff')


def _shown(name: str) -> str:
    return f'`{name[:100]}…`' if len(name) > 100 else f'`{name}`'
