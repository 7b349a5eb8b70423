"""What a job counted besides the result: the rows of the plan's part `counts`, which say it as text."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Mapping


@dataclass(frozen=True)
class Counts:
    """By number of the input: records; rows by (input, status). In all: empty lines, bytes of text."""
    read_by: Mapping[int, int]
    rejected_in: Mapping[tuple[int, int], int]
    empty_lines: int
    bytes: int

    @staticmethod
    def of(rows: Iterable[tuple[str, int]], inputs: int) -> 'Counts':
        """`rows`: `status:file:line:value` and how many; of the totals of a file, `line` is its empty lines, `value` its bytes (plan.py)."""
        read_by = {number: 0 for number in range(inputs)}
        rejected_in: dict[tuple[int, int], int] = {}
        empty_lines = text_bytes = 0
        for what, n in rows:
            status, number, line, *value = what.split(':')
            if int(status) > 0:
                rejected_in[int(number), int(status)] = n
                continue
            read_by[int(number)] = n
            empty_lines += int(line)
            text_bytes += int(value[0])
        return Counts(read_by, rejected_in, empty_lines, text_bytes)
