"""
What a job says of itself, as a local run does (lib/report/report.ts, lib/summary.ts): the summary, the report and its page. What does not
apply to Spark is 0, or left out.
"""
from __future__ import annotations

import json
import os
import pkgutil
import platform
import re
import sys
from datetime import datetime, timezone
from typing import Any, Mapping, Sequence

from pyspark.sql import SparkSession

from .decimals import buckets_of, decimal
from .errors import JobError
from .facts import Facts
from .result import Result
from .session import measured
from .settings import Settings
from .warned import warnings_of

PHASES = ('plan', 'scatter', 'reduce', 'publish')
MOST_LISTED = 1000
MOST_REGIONS = 1000
MOST_PATHS = 100
MOST_REPORT_BYTES = 8 << 20
# Longer lists are of no use to anybody on a page.
MOST_ON_PAGE = {'inputs': 200, 'files': 200, 'regions': 250}
_PLACE = b'"REPORT"'
_ARCHITECTURES = {'x86_64': 'x64', 'amd64': 'x64', 'aarch64': 'arm64'}

Json = dict[str, Any]


def summary_of(spark: SparkSession, settings: Settings, facts: Facts, result: Result, *, rejects_file: str, left_behind: Sequence[str], now: datetime) -> Json:
    """`Summary`, without `report`. `now`: when it ended."""
    seconds = max((now - facts.started).total_seconds(), 1e-3)
    phases = {phase: float(facts.phases.get(phase, 0)) for phase in PHASES[:-1]}
    phases['publish'] = max(0.0, seconds - sum(phases.values()))
    context, now_measured = spark.sparkContext, measured(spark)
    return {
        'output': settings.outputName, 'rejectsFile': rejects_file, 'inputs': len(facts.inputs), 'jobs': facts.cores, 'parser': 'spark',
        'users': result.users, 'regions': len(result.regions), 'valueScale': facts.scale,
        'geoDatabase': {'type': settings.geo['type'], 'buildDate': settings.geo['buildDate']},
        'seconds': seconds, 'phases': phases, 'leftBehind': list(left_behind), 'version': settings.version,
        'engine': 'spark', 'spark': {
            'version': spark.version, 'master': context.master, 'cores': facts.cores, 'application': context.applicationId,
            'tasks': now_measured.tasks, 'failedTasks': now_measured.failed, 'shuffledBytes': now_measured.shuffled,
        },
        'inputBytes': sum(given.size for given in facts.inputs), 'bytes': facts.bytes,
        'rows': {'read': facts.read, 'duplicates': facts.duplicates, 'rejected': facts.rejected, 'counted': facts.counted},
        'rejectedBy': facts.rejected_by(settings.rules), 'emptyLines': facts.empty_lines, 'unknownRegion': facts.unknown_region,
        'groups': sum(file.rows for file in result.files), 'files': len(result.files), 'outputBytes': sum(file.bytes for file in result.files),
        'memory': {'limit': now_measured.heap, 'peakRss': now_measured.resident},
        'spill': {'bytes': now_measured.spilled, 'files': 0, 'rows': 0, 'splits': 0}, 'runs': {'made': 0, 'spilled': 0, 'merges': 0},
        'megabytesPerSecond': facts.bytes / 1e6 / seconds, 'rowsPerSecond': facts.read / seconds,
    }


def report_of(settings: Settings, facts: Facts, result: Result, files: Sequence[Json], summary: Json, now: datetime) -> Json:
    """`RunReport`. `files`: those that are published, in order."""
    by_region = sorted(result.regions.items(), key=lambda of: (-of[1].total, of[0].encode('utf-16-be', 'surrogatepass')))
    scale = facts.scale
    told: Json = {
        'total': decimal(sum(sums.total for sums in result.regions.values()), scale), 'logs': result.logs, 'rows': summary['groups'],
        'regions': {'count': len(by_region), 'listed': [
            {'region': region, 'total': decimal(sums.total, scale), 'logs': sums.logs, 'rows': sums.rows} for region, sums in by_region[:MOST_REGIONS]]},
        'distribution': buckets_of(result.buckets, scale),
        'top': [{'user': user, 'region': region, 'total': decimal(total, scale), 'logs': logs} for user, region, total, logs in result.top],
    }
    options = {'geoDb': None, **settings.options, 'jobs': facts.cores, 'memory': summary['memory']['limit'], 'valueScale': scale}
    if isinstance(options.get('inputs'), list):
        options['inputs'] = options['inputs'][:MOST_PATHS]
    inputs = [
        {'name': given.name, 'bytes': given.size, 'content': given.content, 'rows': facts.read_by.get(given.number, 0),
         'rejected': sum(by.values()), 'rejectedBy': by}
        for given in facts.inputs[:MOST_LISTED] for by in [facts.rejected_by(settings.rules, given.number)]
    ]
    return {
        'format': 1, 'run': settings.run, 'version': settings.version, 'node': settings.node,
        'machine': {
            'platform': sys.platform, 'arch': _ARCHITECTURES.get(platform.machine().lower(), platform.machine()),
            'processors': len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1,
            'memoryBytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') if hasattr(os, 'sysconf') else 0,
        },
        'startedAt': _iso(facts.started), 'endedAt': _iso(now), 'options': options, 'summary': summary,
        'samples': [*facts.samples, *_samples(facts, summary)],
        'memory': {'limitBytes': summary['memory']['limit'], 'peakBytes': summary['memory']['peakRss'], 'budget': {}},
        'inputs': {'count': len(facts.inputs), 'listed': inputs}, 'result': told,
        'files': {'count': len(files), 'listed': [{name: file[name] for name in ('path', 'rows', 'bytes')} for file in files[:MOST_LISTED]]},
        'warnings': warnings_of(summary, told, now, embedded=options.get('geoDb') is None, by_user=settings.groupBy == 'user'),
    }


def json_within(report: Json, limit: int) -> bytes:
    """As JSON of at most so many bytes: names can be long."""
    most = max(len(report['inputs']['listed']), len(report['files']['listed']), len(report['result']['regions']['listed']))
    while True:
        text = f'{_json(_shortened(report, {"inputs": most, "files": most, "regions": most}))}\n'.encode()
        if most == 0 or len(text) <= limit:
            return text
        most >>= 1


def page_of(report: Json) -> bytes:
    """The report as a page. Raises ETL_OUTPUT_WRITE."""
    template = _template()
    if _PLACE not in template:
        raise JobError('ETL_OUTPUT_WRITE', 'Cannot make the page of the report: the template of the report has no place for it.', 'Run without it by --no-report.')
    data = re.sub('[<\u2028\u2029]', lambda found: f'\\u{ord(found[0]):04x}', _json(_shortened(report, MOST_ON_PAGE)))
    return template.replace(_PLACE, data.encode(), 1)


def _template() -> bytes:
    """That of the job's zip file; of the sources, where the build makes it."""
    try:
        return pkgutil.get_data(str(__package__), 'report.html') or b''
    except OSError as error:
        built = os.path.join(os.path.dirname(__file__), '../../../report/report.html')
        if os.path.isfile(built):
            with open(built, 'rb') as file:
                return file.read()
        raise JobError('ETL_OUTPUT_WRITE', f'Cannot make the page of the report: {error}.', 'Run without it by --no-report.') from error


def _shortened(report: Json, most: Mapping[str, int]) -> Json:
    def first(of: Json, n: int) -> Json:
        return {'count': of['count'], 'listed': of['listed'][:n]}
    regions = {**report['result'], 'regions': first(report['result']['regions'], most['regions'])}
    return {**report, 'inputs': first(report['inputs'], most['inputs']), 'files': first(report['files'], most['files']), 'result': regions}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(',', ':'), allow_nan=False)


def _samples(facts: Facts, summary: Json) -> list[Json]:
    """Where the job ends, and where it began if it told of nothing before."""
    end = {
        'seconds': summary['seconds'], 'phase': 'publish', 'inputBytes': summary['inputBytes'], 'bytes': facts.bytes, 'read': facts.read,
        'resident': summary['memory']['peakRss'], 'spilledBytes': summary['spill']['bytes'],
    }
    begin = {**{name: 0 for name in end}, 'phase': 'plan'}
    return [end] if facts.samples else [begin, end]


def _iso(when: datetime) -> str:
    return when.astimezone(timezone.utc).isoformat(timespec='milliseconds').replace('+00:00', 'Z')
