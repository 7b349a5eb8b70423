"""What a job is told: `settings.json`, as lib/spark/settings.ts writes it from validated options. Nothing is checked twice."""
from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

FORMAT = 1
UNKNOWN_REGION = 'ZZ'
MAX_ID_BYTES = 8192
MAX_USER_BYTES = 8192
# The columns that a log has to have, by their roles in `Settings.columns`.
ROLES = ('id', 'user', 'ip', 'value')
TAB_SEPARATED = re.compile(r'\.tsv(\.[a-z0-9]+)?$', re.IGNORECASE)

# What columns are called without a header, unless the user says: LOG_COLUMNS of lib/core/dialect.ts.
LOG_COLUMNS = ('log_id', 'user_id', 'timestamp', 'ip_address', 'watch_time(min)')

# Numbers of rejects: the places of rejectCodes in lib/core/rejects.ts; a rule's is FIRST_RULE + its place.
REJECT_CODES = (
    'none', 'field_count', 'bad_quote', 'unterminated_quote', 'record_too_long', 'missing_id', 'missing_user', 'user_too_long',
    'missing_value', 'bad_value', 'value_precision', 'value_range', 'invalid_utf8', 'id_too_long',
)
STATUS = {code: number for number, code in enumerate(REJECT_CODES)}
FIRST_RULE = 32


@dataclass(frozen=True)
class Dialect:
    """How an input is divided into records and fields (lib/core/dialect.ts)."""
    delimiter: str
    quote: str
    comment: str
    header: bool
    names: tuple[str, ...]
    skip_lines: int


@dataclass(frozen=True)
class Settings:
    """Fields have the names and units of settings.json; `names` and `outputName` are what inputs and output were called by who named them."""
    format: int
    version: str
    run: str
    inputs: Sequence[str]
    names: Sequence[str]
    output: str
    outputName: str
    overwrite: bool
    columns: Mapping[str, str]
    glob: Mapping[str, Any] | None
    encoding: str
    dialect: Mapping[str, Any]
    onError: str
    maxRejects: Mapping[str, float]
    rules: Sequence[Mapping[str, Any]]
    ruled: Sequence[str]
    rejectsFormat: str
    maxRecord: int
    valueScale: int | None
    groupBy: str
    compression: str
    parquetEncoding: str
    report: bool
    geo: Mapping[str, Any]
    options: Mapping[str, Any]
    node: str

    @staticmethod
    def of(data: Mapping[str, Any]) -> 'Settings':
        """Those of a parsed settings.json; what a later version says besides is left out. A job that is kept has no name of its run: it gets one."""
        if data.get('format') != FORMAT:
            raise ValueError(f'settings of format {data.get("format")}, and this job reads format {FORMAT}')
        told = {'names': data['inputs'], 'outputName': data['output'], **data, 'run': data['run'] or _name_of_run()}
        return Settings(**{field.name: told[field.name] for field in fields(Settings)})

    def dialect_of(self, name: str) -> Dialect:
        """That of the input which is called `name`."""
        said = self.dialect
        delimiter = said.get('delimiter') or ('\t' if TAB_SEPARATED.search(name) else ',')
        return Dialect(
            delimiter=delimiter, quote=said.get('quote', '"'), comment=said.get('comment', ''), header=said.get('header', True),
            names=tuple(said.get('names', LOG_COLUMNS)), skip_lines=said.get('skipLines', 0),
        )


def _name_of_run() -> str:
    """As lib/core/run-name.ts makes them."""
    now = datetime.now(timezone.utc)
    return f'{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z-{secrets.token_hex(3)}'
