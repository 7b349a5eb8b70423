"""
What is known of each input before Spark reads it: its dialect, how many fields its records have and where the columns stand (by its header,
which is looked at here and not in the job), and the decimal places of the value, as lib/parse/sample.ts finds them. Only beginnings are read,
by the driver, several at a time.
"""
from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Callable, Mapping, Sequence

from .errors import JobError
from .head import Head
from .header import Places, map_header
from .listing import Listed
from .sample import scale_of
from .settings import Dialect, Settings

# Of files that are looked into at a time.
_AT_ONCE = 16
# Inputs have 24 bits of an order, as in a local run.
MAX_INPUTS = 2 ** 24 - 1
# What Hadoop decompresses, by the end of the name; Spark goes by nothing else.
_BY_NAME = {'.gz': 'gzip', '.bz2': 'bzip2', '.zst': 'zstd'}


@dataclass(frozen=True)
class Input:
    """Plain data: it travels to the workers. `width`: fields of a record; `places` and `ruled`: places of the columns, -1: not there."""
    number: int
    name: str
    path: str
    url: str
    size: int
    dialect: Dialect
    width: int
    places: Mapping[str, int]
    ruled: tuple[int, ...]
    # What stands in it: text, gzip, bzip2.
    content: str
    # Whether it begins with a byte order mark of UTF-8, which Hadoop takes away.
    mark: bool


def look_into(listed: Sequence[Listed], settings: Settings, read: Callable[[Listed, int], bytes]) -> tuple[list[Input], int]:
    """
    The inputs, in order, and the decimal places of the value. `read`: the first bytes of a file as they stand.
    Raises ETL_HEADER, ETL_INPUT_READ, ETL_USAGE.
    """
    if len(listed) > MAX_INPUTS:
        raise JobError('ETL_USAGE', f'{len(listed)} inputs are more than the {MAX_INPUTS} that one run takes.')
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        heads = list(pool.map(lambda file: _head(file, settings, read), listed))
        names = list(pool.map(lambda head: None if head.is_empty else head.names(), heads))
    if all(each is None for each in names):
        message = f'{f"The input {listed[0].name} is" if len(listed) == 1 else "All inputs are"} empty: not even a header.'
        raise JobError('ETL_HEADER', message, 'Look at what should have written it: logs of no rows have a header.')
    places = [None if each is None else map_header(each, settings, head.name) for each, head in zip(names, heads)]
    scale = settings.valueScale
    for head, place in zip(heads, places):
        if scale is None and place is not None:
            scale = scale_of(head, place)
    inputs = []
    for number, (file, head, place) in enumerate(zip(listed, heads, places)):
        place = place or Places(0, {}, ())
        inputs.append(Input(number, file.name, file.path, file.url, file.size, head.dialect, place.width, dict(place.columns), place.ruled, head.content, head.mark))
    return inputs, scale or 0


def _head(file: Listed, settings: Settings, read: Callable[[Listed, int], bytes]) -> Head:
    start = file.path.rsplit('/', 1)[-1][:1]
    if start in ('.', '_'):
        raise JobError('ETL_INPUT_READ', f'The input {file.name} cannot be read by Spark, which passes over files whose names begin with {start!r}.', 'Rename it.')
    head = Head(file, settings.dialect_of(file.name), settings, lambda limit: read(file, limit))
    by_name = next((content for end, content in _BY_NAME.items() if file.path.lower().endswith(end)), 'text')
    if head.content != by_name and not head.is_empty:
        raise JobError('ETL_INPUT_READ', f'The input {file.name} is {head.content}, and its name says {by_name}, which is what Spark goes by.', 'Rename it.')
    return head
