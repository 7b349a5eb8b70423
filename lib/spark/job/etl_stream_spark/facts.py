"""What a job knows of itself when its rows are written: counted by Spark, exactly, whatever was retried."""
from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from .errors import JobError
from .settings import FIRST_RULE, REJECT_CODES

if TYPE_CHECKING:
    from .inputs import Input

UNBALANCED_HINT = 'Nothing was published. Please report this with the input, if you can share it.'


@dataclass(frozen=True)
class Facts:
    """Bytes are bytes, seconds have fractions, times have a zone."""
    inputs: Sequence['Input']
    #: Records read, headers excluded, by the number of the input.
    read_by: Mapping[int, int]
    #: Rows by (number of the input, status).
    rejected_in: Mapping[tuple[int, int], int]
    counted: int
    duplicates: int
    empty_lines: int
    #: Of text.
    bytes: int
    #: Counted logs whose address gave no region.
    unknown_region: int
    #: Decimal places of the totals.
    scale: int
    started: datetime
    #: Seconds of `plan`, `scatter` and `reduce`, as far as they are told apart; that of `publish` is added.
    phases: Mapping[str, float] = field(default_factory=dict)
    #: As `Sample` of lib/progress.ts: seconds, phase, inputBytes, bytes, read, resident, spilledBytes.
    samples: Sequence[Mapping[str, Any]] = ()
    #: Tasks that ran at once, at most.
    cores: int = 1

    @property
    def read(self) -> int:
        return sum(self.read_by.values())

    @property
    def rejected(self) -> int:
        return sum(self.rejected_in.values())

    @property
    def rows(self) -> dict[str, int]:
        return {'read': self.read, 'counted': self.counted, 'duplicates': self.duplicates, 'rejected': self.rejected}

    def rejected_by(self, rules: Sequence[Mapping[str, Any]], number: int | None = None) -> dict[str, int]:
        """Rows by reason, in order of statuses: of an input, or of all."""
        rows: dict[int, int] = {}
        for (where, status), n in self.rejected_in.items():
            if (number is None or where == number) and n > 0:
                rows[status] = rows.get(status, 0) + n
        return {reason_of(status, rules): rows[status] for status in sorted(rows)}

    def assert_balanced(self, published: int) -> None:
        """Raises ETL_UNBALANCED unless each record is accounted for, and each one counted is among the `published` logs."""
        read, rejected = self.read, self.rejected
        told = self.counted + self.duplicates + rejected
        if read != told:
            message = f'{read} rows were read, but {self.counted} counted + {self.duplicates} duplicate + {rejected} rejected = {told}.'
            raise JobError('ETL_UNBALANCED', message, UNBALANCED_HINT)
        if published != self.counted:
            raise JobError('ETL_UNBALANCED', f'{self.counted} rows were counted, but the result has {published}.', UNBALANCED_HINT)


def reason_of(status: int, rules: Sequence[Mapping[str, Any]]) -> str:
    """What a status is counted as: its code, and with a rule that is broken `rule COLUMN:RULE` (lib/core/rejects.ts)."""
    if status < FIRST_RULE:
        return REJECT_CODES[status]
    rule = rules[status - FIRST_RULE]
    return f'rule {rule["column"]}:{rule["name"]}'
