"""
What may be replaced: nothing, or a dataset of ours that holds nothing else. The rules and sentences of lib/dataset/replaceable.ts.
"""
from __future__ import annotations

import json
import os
import re

from .errors import JobError
from .files import Files
from .versions import linked_version

DATASET_FILE = '_etl/dataset.json'
STATE_MARK = '_etl/state.json'
REJECTS_FILES = {'jsonl': '_rejects.jsonl', 'csv': '_rejects.csv'}
REPORT_PAGE = '_etl/report.html'
REPORTS_FOLDER = '_etl/reports'
_REPORT = re.compile(r'_etl/reports/\d{8}T\d{9}Z-[0-9a-f]{6}\.json\Z')
_ALWAYS = {'_SUCCESS', DATASET_FILE, STATE_MARK}
# A description of a hundred thousand files has 20 MB.
_MOST_DESCRIPTION_BYTES = 256 << 20


def check_replaceable(files: Files, output: str, shown: str, overwrite: bool, at: str | None = None) -> None:
    """
    Raises ETL_OUTPUT_EXISTS unless `output` is free, or may be replaced and `overwrite` says so. `shown`: how it was given; `at`: where
    it is just now.
    """
    at = at or output
    local = files.local(at)
    version = linked_version(local) if local is not None else None
    folder = at if version is None else f'file:{version}'
    if not files.is_there(folder):
        return
    foreign = _first_foreign(files, folder)
    if foreign is not None:
        hint = 'Choose another folder with -o, or clear this one yourself.'
        raise JobError('ETL_OUTPUT_EXISTS', f'The output {shown} exists already and is never replaced: {foreign}.', hint)
    if overwrite:
        return
    if files.is_there(f'{folder}/{STATE_MARK}'):
        hint = 'It has a state: run without --engine spark to add what is new. Or add --overwrite to replace it, or choose another folder with -o.'
    else:
        hint = 'It has no state, so nothing can be added to it. Add --overwrite to replace it, or choose another folder with -o.'
    raise JobError('ETL_OUTPUT_EXISTS', f'The output {shown} exists already.', hint)


def is_dataset(files: Files, folder: str) -> bool:
    return files.is_there(f'{folder}/{DATASET_FILE}')


def _first_foreign(files: Files, folder: str) -> str | None:
    """Why a folder is not ours to replace; None when it is: an empty folder, or a dataset and nothing else."""
    local = files.local(folder)
    if local is not None and os.path.islink(local):
        return 'it is a symbolic link'
    if not files.is_folder(folder):
        return 'it is not a folder'
    if local is not None and os.lstat(os.path.dirname(local)).st_dev != os.lstat(local).st_dev:
        return 'it is a mount point, which cannot be renamed; choose a folder inside it'
    if not files.list(folder):
        return None
    try:
        description = json.loads(files.read_text(f'{folder}/{DATASET_FILE}', _MOST_DESCRIPTION_BYTES))
        version, paths = description['format'], {file['path'] for file in description['files']}
    except (JobError, ValueError, LookupError, TypeError):
        return 'it was not written by etl-stream'
    if version != 1:
        return f'it was written by another version of etl-stream (format {version})'
    ours = paths | _ALWAYS | set(REJECTS_FILES.values())
    for entry in files.walk(folder):
        if entry.path not in ours and entry.path != REPORT_PAGE and not _REPORT.match(entry.path):
            return f'it holds {entry.path}, which etl-stream did not write'
    return None
