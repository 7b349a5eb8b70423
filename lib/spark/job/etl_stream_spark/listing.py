"""
From what the user named to the list of inputs, as lib/source/inputs.ts has it: files as named, folders searched for logs, in byte order of their
names, each file once. That order is the order in which the first of equal log_ids wins. Paths of this machine and URLs of any file system
that Spark takes; a path has no scheme.
"""
from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

from pyspark.sql import SparkSession

from .errors import JobError
from .log_filter import LogFilter
from .session import local_path

_SCHEME = re.compile(r'^[A-Za-z][A-Za-z0-9+.-]+:')


@dataclass(frozen=True)
class Listed:
    """`name`: what etl-stream calls it; `path`: what Spark is told; `url`: what Spark calls it then (percent-encoded); bytes as they stand."""
    name: str
    path: str
    url: str
    size: int


def is_url(path: str) -> bool:
    return _SCHEME.match(path) is not None


def is_inside(path: str, folder: str) -> bool:
    """Whether a file, or URL, is that of the folder, or below it."""
    path, folder = (re.sub(r'^file:/+', '/', each).rstrip('/') for each in (path, folder))
    return f'{path}/'.startswith(f'{folder}/')


class Listing:
    """`glob`: that of the settings."""

    def __init__(self, spark: SparkSession, glob: Mapping[str, Any] | None) -> None:
        self._hadoop = spark._jvm.org.apache.hadoop.fs
        self._configuration = spark._jsc.hadoopConfiguration()
        self._filter = LogFilter(glob)

    def of(self, paths: Sequence[str], names: Sequence[str]) -> list[Listed]:
        """`names`: what the paths were called by who named them. Raises ETL_INPUT_NOT_FOUND, ETL_INPUT_READ."""
        found: dict[str, Listed] = {}
        for path, name in zip(paths, names):
            files = list(self._of_url(path) if is_url(path) else self._of_path(path, name))
            if not files:
                raise JobError('ETL_INPUT_NOT_FOUND', f'The folder {name} holds no {self._filter.what}.', self._filter.hint)
            for file in files:
                local = local_path(file.url)  # also of a URL: it may be named by its path, too
                real = file.url if local is None else os.path.realpath(local)
                known = found.get(real)
                if known is None or file.name.encode() < known.name.encode():
                    found[real] = file
        return sorted(found.values(), key=lambda file: file.name.encode())

    def _of_path(self, path: str, name: str) -> Iterator[Listed]:
        if not os.path.exists(path):
            message = f"Cannot find the input {name}: ENOENT: no such file or directory, stat '{name}'."
            raise JobError('ETL_INPUT_NOT_FOUND', message, 'Check the path. A folder is searched for *.csv and *.tsv, unless --glob says otherwise.')
        if not os.path.isdir(path):
            yield self._local(name, path)
            return
        for folder, folders, files in os.walk(path):
            below = os.path.relpath(folder, path)
            folders[:] = [each for each in folders if self._may_be(each) and not os.path.islink(os.path.join(folder, each))]
            for file in files:
                relative = file if below == '.' else f'{below}/{file}'
                if not self._may_be(file) or not self._filter.is_log(relative):
                    continue
                called, file = posixpath.normpath(f'{name}/{relative}'), os.path.join(folder, file)
                if not os.path.exists(file):  # a link to nothing
                    message = f"Cannot read the input {called}: ENOENT: no such file or directory, stat '{called}'."
                    raise JobError('ETL_INPUT_READ', message, 'Check that the input can be read to its end, and is not changed meanwhile.')
                if os.path.isfile(file):
                    yield self._local(called, file)

    def _local(self, name: str, path: str) -> Listed:
        path = os.path.abspath(path)
        return Listed(name, path, self._hadoop.Path(f'file:{path}').toUri().toString().replace('file:/', 'file:///', 1), os.path.getsize(path))

    def _of_url(self, name: str) -> Iterator[Listed]:
        try:
            path = self._hadoop.Path(name)
            system = path.getFileSystem(self._configuration)
            status = system.getFileStatus(path)
            if not status.isDirectory():
                yield self._remote(name, status)
                return
            files = system.listFiles(path, True)
            start = len(status.getPath().toString().rstrip('/')) + 1
            while files.hasNext():
                status = files.next()
                below = status.getPath().toString()[start:]
                if all(self._may_be(each) for each in below.split('/')) and self._filter.is_log(below):
                    yield self._remote(f'{name.rstrip("/")}/{below}', status)
        except JobError:
            raise
        except Exception as error:  # whatever a file system throws, by Py4J
            what = str(getattr(error, 'java_exception', error)).splitlines()[0]
            code = 'ETL_INPUT_NOT_FOUND' if 'FileNotFound' in what else 'ETL_INPUT_READ'
            raise JobError(code, f'Cannot find the input {name}: {what}.' if code.endswith('FOUND') else f'Cannot list {name}: {what}.') from None

    def _remote(self, name: str, status: Any) -> Listed:
        path = status.getPath()
        return Listed(name, path.toString(), path.toUri().toString(), status.getLen())

    def _may_be(self, part: str) -> bool:
        return not part.startswith('.') or self._filter.searches_hidden
