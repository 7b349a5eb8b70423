"""Errors that end a job: the codes, sentences and hints of etl-stream's own (docs/errors.md)."""
from __future__ import annotations

import json
import re
from typing import Sequence

# What a worker raises crosses Spark as text: this finds it in a traceback.
_MARK = 'etl-stream-error:'


class JobError(Exception):
    """`code`: one of etl-stream's; `message`: one sentence; `hint`: what to do, or ''."""

    def __init__(self, code: str, message: str, hint: str = '') -> None:
        super().__init__(f'{_MARK}{json.dumps([code, message, hint])}')
        self.code, self.message, self.hint = code, message, hint

    def __reduce__(self):
        return JobError, (self.code, self.message, self.hint)


def job_error_in(text: str) -> JobError | None:
    """The JobError that a worker raised, by what Spark tells of the failure."""
    found = re.search(re.escape(_MARK) + r'(\[.*\])', text)
    if not found:
        return None
    try:
        return JobError(*json.loads(found[1]))
    except (ValueError, TypeError):
        return None


def missing_in(text: str) -> JobError | None:
    """ETL_SPARK_MISSING, when a worker's Python, or the driver's, lacks what the job needs."""
    found = re.search(r"No module named '(numpy|pandas|pyarrow)|\b(PyArrow|Pandas) >= \S+ must be installed", text)
    if not found:
        return None
    name = (found[1] or found[2]).lower()
    return JobError('ETL_SPARK_MISSING', f'A Python of Spark, that of the driver or of a worker, lacks {name}.', (
        'Install it there: pip install pandas numpy pyarrow. PYSPARK_PYTHON and PYSPARK_DRIVER_PYTHON say which Python that is.'
    ))


def unreadable_in(text: str, causes: Sequence[str]) -> JobError | None:
    """ETL_INPUT_READ, when a worker could not read a file to its end. `causes`: what Java says of the failure, from the outermost."""
    found = re.search(r'\[FAILED_READ_FILE[.\w]*\] [^\n]*? file (\S.*?)\.\s+SQLSTATE', text, re.DOTALL)
    if not found:
        return None
    why = f': {causes[-1]}' if len(causes) > 1 else ''
    return JobError('ETL_INPUT_READ', f'The input {found[1]} cannot be read to its end{why.rstrip(".")}.', (
        'Nothing of the input counts. Get it again from where it came, or leave it out.'
    ))
