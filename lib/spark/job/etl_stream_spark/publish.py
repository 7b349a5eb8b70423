"""
What Spark wrote becomes a dataset as a local run makes one (docs/output.md), with `"engine": "spark"` in its description: files get their
names and folders, rejects become one file, the description, the report and `_SUCCESS` are added, and it is published.

Of what is in the files the driver has a line a file and region (result.py), and streams the rejects through.
"""
from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from typing import Any

from pyspark.sql import SparkSession

from .errors import JobError
from .facts import Facts
from .hive import is_cut, part_name, partition_folder
from .rejects import csv_header
from .replaceable import DATASET_FILE, REJECTS_FILES, REPORT_PAGE, REPORTS_FOLDER
from .report import MOST_REPORT_BYTES, page_of, json_within, report_of, summary_of
from .result import Result, read_result
from .settings import Settings
from .staging import Staging

# Of one input, or of all.
_REJECTS = re.compile(r'(?:file=(\d+)/)?part-(\d+)')


def publish(spark: SparkSession, settings: Settings, staging: Staging, facts: Facts) -> dict[str, Any]:
    """
    Publishes what stands in `staging.data` and `staging.rejects`; gives the `Summary` of lib/summary.ts. Raises ETL_UNBALANCED,
    ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE; then nothing was published, and the staging's block removes the rest.
    """
    result = read_result(spark, settings, staging, facts.scale)
    facts.assert_balanced(result.logs)
    files, described = staging.files, _described(result)
    staging.begin()
    folders = sorted({file['path'].rsplit('/', 1)[0] for file in described if '/' in file['path']})
    files.several(lambda folder: files.make_folder(f'{staging.dataset}/{folder}'), folders)
    moves = [(f'{staging.data}/{old.path}', f'{staging.dataset}/{new["path"]}') for old, new in zip(result.files, described)]
    files.several(lambda move: files.rename(*move), moves)
    rejects_file = REJECTS_FILES[settings.rejectsFormat]
    _join_rejects(settings, staging, f'{staging.dataset}/{rejects_file}')
    files.write(f'{staging.dataset}/{DATASET_FILE}', f'{json.dumps(_description(settings, facts, described), ensure_ascii=False, indent=2)}\n'.encode())
    now = datetime.now(timezone.utc)
    summary = summary_of(spark, settings, facts, result, rejects_file=rejects_file, left_behind=staging.left_behind, now=now)
    told = None
    if settings.report:
        report = report_of(settings, facts, result, described, summary, now)
        files.write(f'{staging.dataset}/{REPORTS_FOLDER}/{settings.run}.json', json_within(report, MOST_REPORT_BYTES))
        files.write(f'{staging.dataset}/{REPORT_PAGE}', page_of(report))
        told = {'run': settings.run, 'page': REPORT_PAGE, 'warnings': report['warnings']}
    staging.publish()
    return {**summary, **({'report': told} if told else {})}


def _described(result: Result) -> list[dict[str, Any]]:
    """The files by their names in the dataset, in the order of `result.files`; a region whose folder does not name all of it is named."""
    described: list[dict[str, Any]] = []
    parts: dict[str, int] = {}
    regions: dict[str, str | None] = {}
    for file in result.files:
        folder = '' if file.region is None else f'{partition_folder(file.region)}/'
        if regions.setdefault(folder, file.region) != file.region:
            raise JobError('ETL_INTERNAL', f'Two regions have the folder {folder}.')
        number = parts.get(folder, 0)
        parts[folder] = number + 1
        told: dict[str, Any] = {'path': f'{folder}{part_name(number)}', 'rows': file.rows, 'bytes': file.bytes}
        if file.sha256 is not None:
            told['sha256'] = file.sha256
        if is_cut(folder.rstrip('/')):
            told['region'] = file.region
        described.append(told)
    return described


def _description(settings: Settings, facts: Facts, files: list[dict[str, Any]]) -> dict[str, Any]:
    """As lib/dataset/description.ts has it."""
    return {
        'format': 1, 'version': settings.version, 'engine': 'spark', 'groupBy': settings.groupBy, 'columns': dict(settings.columns), 'valueScale': facts.scale,
        'geoDatabase': {'type': settings.geo['type'], 'buildDate': settings.geo['buildDate']}, 'rows': facts.rows, 'files': files,
    }


def _join_rejects(settings: Settings, staging: Staging, path: str) -> None:
    """Input by input, the parts of each in their order; a file of CSV begins with its header (lib/dataset/rejects-csv.ts)."""
    parts = [(int(found[1] or 0), int(found[2]), entry.path) for entry in staging.files.walk(staging.rejects) if (found := _REJECTS.match(entry.path)) and entry.size > 0]
    header = f'{csv_header(settings)}\n' if settings.rejectsFormat == 'csv' else ''
    staging.files.join(path, header.encode(), [f'{staging.rejects}/{name}' for _, _, name in sorted(parts)])
