"""
The folder of a region in Hive layout, as lib/parquet/hive-path.ts has it, and what Spark is to write instead.

Spark makes folders by rules of its own, of whatever text: a name of 300 bytes fails the job, and so does ß where the JVM's locale is C;
the empty region and one that is called __HIVE_DEFAULT_PARTITION__ are one folder. So it is given `stored(region)`, which is safe
anywhere, and publication gives the folders their names.
"""
from __future__ import annotations

import hashlib
import re
from typing import Iterable
from urllib.parse import unquote_to_bytes

from pyspark.sql import Column, functions as F

from .errors import JobError

PARTITION_COLUMN = 'geo_region'
NO_VALUE = '__HIVE_DEFAULT_PARTITION__'
TAKEN_FOR_NULL = re.compile(r'(__hive_default_partition__|null)\Z', re.IGNORECASE)
MAX_NAME_BYTES = 255
HASH_DIGITS = 32
LIKE_CUT = re.compile(r'~(?=[0-9a-f]{32}\Z)')
# What every file system takes, and Spark leaves as it is.
PLAIN = r'^(?!(?i:__hive_default_partition__|null)$)[A-Za-z0-9_.-]{1,100}$'
HASHED = re.compile(r'~[0-9a-f]{32}\Z')


def stored(region: Column) -> Column:
    """A region's text as Spark is to have it for `partitionBy`: itself, or ~ and 32 hex digits of the SHA-256 of it."""
    return F.when(region.rlike(PLAIN), region).otherwise(F.concat(F.lit('~'), F.substring(F.sha2(region.cast('binary'), 256), 1, HASH_DIGITS)))


class StoredRegions:
    """Regions by the folders that Spark made of them. `names`: all that there may be, looked at only when a folder has a hash."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = names
        self._by_hash: dict[str, str] | None = None

    def of(self, folder: str) -> str:
        """Of `geo_region=...`. Raises ETL_INTERNAL for a hash of none of the names."""
        value = folder[len(PARTITION_COLUMN) + 1:]
        if value == NO_VALUE:
            return ''
        if not HASHED.match(value):
            return unquote_to_bytes(value).decode()  # Spark escapes some of ASCII, as one byte each
        if self._by_hash is None:
            self._by_hash = {f'~{_digest(name)}': name for name in self._names}
        if value not in self._by_hash:
            raise JobError('ETL_INTERNAL', f'Spark wrote the folder {folder}, which is of no region.')
        return self._by_hash[value]


def partition_folder(region: str) -> str:
    """`geo_region=<value>`; see hive-path.ts."""
    prefix = f'{PARTITION_COLUMN}='
    room = MAX_NAME_BYTES - len(prefix)
    value = LIKE_CUT.sub('%7E', _encoded(region))
    if len(value) <= room:
        return prefix + value
    start = ''
    for character in region:
        longer = start + _encoded(character)
        if len(longer) > room - 1 - HASH_DIGITS:
            break
        start = longer
    return f'{prefix}{start}~{_digest(region)}'


def is_cut(folder: str) -> bool:
    """Whether the name of a folder of ours does not hold all of the region's."""
    return HASHED.search(folder) is not None


def part_name(number: int) -> str:
    return f'part-{number:05}.parquet'


def _digest(region: str) -> str:
    return hashlib.sha256(region.encode()).hexdigest()[:HASH_DIGITS]


def _encoded(region: str) -> str:
    if region == '':
        return NO_VALUE
    is_taken = TAKEN_FOR_NULL.match(region) is not None
    value = ''
    for byte in region.encode():
        character = chr(byte)
        is_safe = re.match(r'[A-Za-z0-9_.~-]', character) is not None and not (value == '' and is_taken)
        value += character if is_safe else f'%{byte:02X}'
    return value
