"""
Rejected rows -> what `_rejects.jsonl` or `_rejects.csv` says of them, byte for byte as the local engine (lib/parse/describe-reject.ts,
lib/core/rejects.ts, lib/dataset/rejects-csv.ts). They are few: Python, one row at a time; memory is that of one batch of Arrow.
"""
from __future__ import annotations

import base64
import json
import re
from typing import Any, Iterable, Iterator, Mapping, Sequence

from pyspark.sql import DataFrame

from .record_fields import MAX_FOLDED_BYTES, content_of, count_line_ends, fields_of, is_kernel_dialect
from .rules import MAX_CHECKED_BYTES, role_of
from .settings import FIRST_RULE, MAX_ID_BYTES, MAX_USER_BYTES, REJECT_CODES, ROLES, Settings

RAW_TEXT_BYTES = 1 << 16
SHOWN_BYTES = 40
# Characters of a pattern or list that are told.
SHOWN_CHARACTERS = 200
MALFORMED = ('field_count', 'bad_quote', 'unterminated_quote', 'record_too_long', 'invalid_utf8')
REJECT_COLUMNS = ('_reject_file', '_reject_line', '_reject_byte', '_reject_column', '_reject_code', '_reject_rule', '_reject_message', '_reject_raw')
TYPES = {'integer': 'a whole number', 'number': 'a decimal number', 'timestamp': 'a date or time as ISO 8601 writes it', 'ip': 'an IP address'}
_ARRAY_INDEX = re.compile(r'0|[1-9][0-9]{0,9}')


def lines(rows: DataFrame, settings: Settings, inputs: Sequence[Any], scale: int) -> DataFrame:
    """
    `rows`: of checked rows those with a status over 0. Gives `value string, file int, line bigint`: what each is told as, in the order of the rows,
    its line end excluded, and where it stands. The file in CSV begins with `csv_header`, which is not among them.
    """
    describer = Describer(settings, inputs, scale)

    def described(batches: Iterable[Any]) -> Iterator[Any]:
        import pyarrow
        for batch in batches:
            told = [describer.line(**row) for row in batch.to_pylist()]
            yield pyarrow.record_batch({'value': pyarrow.array(told, pyarrow.string()), 'file': batch.column('file'), 'line': batch.column('line')})

    return rows.select('file', 'line', 'byte', 'status', 'record').mapInArrow(described, 'value string, file int, line bigint')


def csv_header(settings: Settings) -> str:
    """The first line of `_rejects.csv`, its line end excluded."""
    return csv_line([*(settings.columns[role] for role in ROLES), *REJECT_COLUMNS])


class Describer:
    """What is wrong with a row, and with which field."""

    def __init__(self, settings: Settings, inputs: Sequence[Any], scale: int) -> None:
        self.columns, self.rules, self.ruled = settings.columns, settings.rules, settings.ruled
        self.limit, self.scale, self.format = settings.maxRecord, scale, settings.rejectsFormat
        self.inputs = {each.number: each for each in inputs}

    def line(self, file: int, line: int, byte: int, status: int, record: bytes) -> str:
        reject = self.describe(self.inputs[file], line, byte, status, bytes(record))
        return json_text(reject) if self.format == 'jsonl' else self.csv(reject)

    def describe(self, source: Any, line: int, byte: int, status: int, record: bytes) -> dict[str, Any]:
        """A line of the rejects file, its keys in order (lib/core/rejects.ts)."""
        code = 'rule' if status >= FIRST_RULE else REJECT_CODES[status]
        in_kernel = is_kernel_dialect(source.dialect)
        most = RAW_TEXT_BYTES
        if code == 'record_too_long':
            most = min(most, self.limit)
            # What the framer of other dialects gives of it.
            record = record if in_kernel else record[:self.limit]
        raw = record[:cut_at(record, most)]
        found = Fields(source, record)
        message, rule, column, offset = self.fault(code, status, found)
        reject = {
            'file': source.name, 'line': line, 'byte': byte, 'field_byte': byte + offset if offset is not None and in_kernel else None,
            'column': column, 'code': code, 'rule': rule, 'message': message, 'raw': raw.decode('utf-8', 'replace'),
        }
        if not is_utf8(raw):
            reject['raw_base64'] = base64.b64encode(raw).decode()
        if len(raw) < len(record):
            reject['truncated'] = True
        reject['row'] = None if code in MALFORMED else self.row(found)
        return reject

    def row(self, found: 'Fields') -> dict[str, str] | None:
        """Texts of the four; None when they are too long to be told."""
        contents = {role: found.of(role) for role in ROLES}
        if sum(map(len, contents.values())) > RAW_TEXT_BYTES:
            return None
        texts = {self.columns[role]: content.decode() for role, content in contents.items()}
        # Objects of JavaScript have names that are numbers first.
        numbers = sorted((name for name in texts if _ARRAY_INDEX.fullmatch(name) and int(name) < 2 ** 32 - 1), key=int)
        return {name: texts[name] for name in [*numbers, *(name for name in texts if name not in numbers)]}

    def fault(self, code: str, status: int, found: 'Fields') -> tuple[str, str | None, str | None, int | None]:
        """Message, rule, column, and where in the record the field begins."""
        columns, width = self.columns, found.source.width
        if code == 'field_count':
            return f'The record has {len(found.all)} {"field" if len(found.all) == 1 else "fields"}; the header has {width}.', None, None, None
        if code == 'bad_quote':
            return 'A quote stands inside an unquoted field, or something follows a closing quote.', None, None, found.bad()
        if code == 'unterminated_quote':
            offset = (found.bad() or 0) if is_kernel_dialect(found.source.dialect) else 0
            below = count_line_ends(found.record[:offset])
            where = f'{below} {"line" if below == 1 else "lines"} below its first' if below else 'in its first line'
            return f'The record opens a quote, {where}, that is never closed.', None, None, offset
        if code == 'record_too_long':
            return f'The record is longer than {self.limit} bytes.', None, None, None
        if code == 'invalid_utf8':
            return 'The record is not valid UTF-8.', None, None, None
        if code == 'rule':
            return self.broken_rule(status, found)
        role = {'missing_id': 'id', 'id_too_long': 'id', 'missing_user': 'user', 'user_too_long': 'user'}.get(code, 'value')
        value = shown(found.of('value')) if role == 'value' else ''
        message = {
            'missing_id': 'The log id is empty.',
            'id_too_long': f'The log id has more than {MAX_ID_BYTES} bytes.',
            'missing_user': 'The user id is empty.',
            'user_too_long': f'The user id has {len(found.of("user"))} bytes; the most is {MAX_USER_BYTES}.',
            'missing_value': 'The value is empty.',
            'bad_value': f'The value {value} is not a decimal number.',
            'value_precision': f'The value {value} has more than {self.scale} decimal places.',
            'value_range': f'The value {value} with {self.scale} decimal places does not fit 64 bits.',
        }[code]
        return message, None, columns[role], found.start(found.source.places[role])

    def broken_rule(self, status: int, found: 'Fields') -> tuple[str, str | None, str | None, int | None]:
        rule = self.rules[status - FIRST_RULE]
        column = rule['column']
        role = role_of(column, self.columns)
        place = found.source.places[role] if role else found.source.ruled[list(self.ruled).index(column)]
        content = found.of(role) if role else found.at(place)
        return rule_message(rule, shown(content), len(content)), rule['name'], column, found.start(place)

    def csv(self, reject: Mapping[str, Any]) -> str:
        names = [self.columns[role] for role in ROLES]
        row, column = reject['row'], reject['column']
        # Nobody could mend another field there.
        values = [row[name] if row and column in names else '' for name in names]
        line = csv_line([escaped(text) for text in [
            *values, reject['file'], str(reject['line']), str(reject['byte']), column or '', reject['code'], reject['rule'] or '',
            reject['message'], reject['raw'],
        ]])
        # Half of a pair, as a rule may have, is no UTF-8.
        return re.sub('[\ud800-\udfff]', '\ufffd', line)


class Fields:
    """Those of one record, found when they are asked for."""

    def __init__(self, source: Any, record: bytes) -> None:
        self.source, self.record = source, record
        self._all: list[Any] | None = None

    @property
    def all(self) -> list[Any]:
        if self._all is None:
            self._all = list(fields_of(self.record, self.source.dialect))
        return self._all

    def bad(self) -> int | None:
        return next((field.start for field in self.all if field.bad), None)

    def start(self, place: int) -> int | None:
        return self.all[place].start if 0 <= place < len(self.all) else None

    def at(self, place: int, most_folded: int | None = None) -> bytes:
        return content_of(self.record, self.all[place], self.source.dialect, most_folded) if 0 <= place < len(self.all) else b''

    def of(self, role: str) -> bytes:
        in_kernel = is_kernel_dialect(self.source.dialect)
        return self.at(self.source.places[role], MAX_FOLDED_BYTES if in_kernel else None)


def rule_message(rule: Mapping[str, Any], field: str, length: int) -> str:
    """A rule that a field breaks, as a sentence (lib/parse/rule-message.ts)."""
    check, name = rule['check'], json_text(rule['column'])
    kind = check['kind']
    told = f'The column {name} has {field}, which'
    if length > MAX_CHECKED_BYTES and kind != 'one-of':
        return f'{told} has {length} bytes; rules are tried on {MAX_CHECKED_BYTES} at most.'
    if kind == 'required':
        return f'The column {name} is empty.'
    if kind == 'type':
        return f'{told} is not {TYPES[check["type"]]}.'
    if kind in ('min', 'max'):
        return f'{told} is not at {"least" if kind == "min" else "most"} {check["bound"]}.'
    if kind == 'pattern':
        return f'{told} does not match {_short(check["pattern"])}.'
    return f'{told} is none of {_short(", ".join(check["values"]))}.'


def _short(text: str) -> str:
    """Lengths are those of JavaScript: in units of UTF-16."""
    units = text.encode('utf-16-le', 'surrogatepass')
    if len(units) <= 2 * SHOWN_CHARACTERS:
        return text
    return units[:2 * SHOWN_CHARACTERS].decode('utf-16-le', 'surrogatepass') + '…'


def cut_at(content: bytes, most: int) -> int:
    """Where to cut a text of so many bytes at most, between two of its characters."""
    if len(content) <= most:
        return len(content)
    at = most
    while at > most - 3 and at >= 0 and content[at] & 0xC0 == 0x80:
        at -= 1
    return max(at, 0)


def shown(content: bytes) -> str:
    text = content[:cut_at(content, SHOWN_BYTES)].decode('utf-8', 'replace')
    return json_text(text + '…' if len(content) > SHOWN_BYTES else text)


def is_utf8(content: bytes) -> bool:
    try:
        content.decode()
        return True
    except UnicodeDecodeError:
        return False


def json_text(value: Any) -> str:
    """As JSON.stringify writes it: half of a pair is escaped."""
    text = json.dumps(value, ensure_ascii=False, separators=(',', ':'))
    return re.sub('[\ud800-\udfff]', lambda match: f'\\u{ord(match[0]):04x}', text)


_DANGEROUS = tuple("=+-@\t\n\r'")
_NUMBER = re.compile(r'[+-](?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)')
_MOST_NUMBER = 400


def _is_escaped(text: str) -> bool:
    return text.startswith(_DANGEROUS) and not (len(text) <= _MOST_NUMBER and _NUMBER.fullmatch(text))


def escaped(text: str) -> str:
    """A field that a spreadsheet would take for a formula gets a `'` in front (lib/core/spreadsheet.ts)."""
    return f"'{text}" if _is_escaped(text) else text


def csv_line(values: Sequence[str]) -> str:
    def field(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if re.search('[",\r\n]', text) else text
    return ','.join(map(field, values))
