"""Which files below a folder are logs, by their names: as lib/source/log-filter.ts has it, whose pattern lib/spark/glob.ts wrote for Python."""
from __future__ import annotations

import re
from array import array
from typing import Any, Mapping

from .errors import JobError

_LOG_NAME = re.compile(r'\.(csv|tsv)(\.(gz|zst|bz2))?\Z', re.IGNORECASE | re.ASCII)


class LogFilter:
    """`searches_hidden`: whether hidden entries may be logs, or hold some; `what`, `hint`: what a folder without logs does not have."""

    def __init__(self, glob: Mapping[str, Any] | None) -> None:
        """`glob`: of settings.json. Raises ETL_USAGE for a pattern that Python has no words for."""
        self._glob = glob
        if glob is None:
            self.searches_hidden = False
            self.what = '*.csv or *.tsv file'
            self.hint = 'Name the files themselves if they are called otherwise, or say by --glob which of them are logs.'
            return
        pattern = '"' + glob['pattern'].replace('\\', '\\\\').replace('"', '\\"') + '"'
        try:
            self._regex = re.compile(glob['regex'], re.ASCII)
        except re.error as cause:
            hint = 'Say it by stars, braces and brackets alone, or run without --engine spark.'
            raise JobError('ETL_USAGE', f'--glob {pattern} is a pattern that a Spark job cannot use: {cause}.', hint) from cause
        self.searches_hidden = glob['hidden']
        self.what = f'file that matches --glob {pattern}'
        self.hint = 'The pattern is for the whole path below the folder: * stays inside one name, **/*.log finds logs at every depth.'

    def is_log(self, path: str) -> bool:
        """Whether a file is one, by its path below the folder; `/` stands between its parts."""
        if self._glob is None:
            return _LOG_NAME.search(path) is not None
        # JavaScript counts what is beyond 16 bits as two characters.
        units = ''.join(map(chr, array('H', path.encode('utf-16-le', 'surrogatepass'))))
        return path != '' and (path == self._glob['pattern'] or self._regex.search(units) is not None)
