"""Errors that end a job: the codes, sentences and hints of etl-stream's own (docs/errors.md)."""
from __future__ import annotations

import json
import re

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
