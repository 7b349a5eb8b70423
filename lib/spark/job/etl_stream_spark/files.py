"""
Files of any file system that Spark's Hadoop knows, by URL, from the driver's Python. Nothing here goes over what files hold but in
the JVM's own streams. What fails raises ETL_OUTPUT_WRITE.

Local files are the raw ones: Hadoop's LocalFileSystem, and what Hive makes of it, puts a checksum file beside each, which a dataset has not.
"""
from __future__ import annotations

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Callable, Iterable, TypeVar
from urllib.parse import urlsplit

from py4j.java_gateway import is_instance_of
from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.sql import SparkSession

from .errors import JobError

# Where renaming a folder is one step. Elsewhere, in object stores mostly, it copies file by file.
RENAMES_AT_ONCE = frozenset({'file', 'hdfs', 'viewfs', 'abfs', 'abfss'})
HINT = 'Nothing was published; an earlier output is as it was.'
_THREADS = 16

T = TypeVar('T')


@dataclass(frozen=True)
class Entry:
    """A file or folder; `path`: below the folder that was listed, with `/`; `modified`: milliseconds since 1970, by the file system's clock."""
    path: str
    is_folder: bool
    size: int
    modified: int


class Files:
    def __init__(self, spark: SparkSession) -> None:
        self._jvm: Any = spark._jvm
        self._gateway: Any = spark.sparkContext._gateway
        self._conf: Any = spark._jsc.hadoopConfiguration()
        self._systems: dict[str, Any] = {}

    def qualified(self, url: str) -> str:
        """With scheme and authority, absolute, without `/` at its end: what a path without them means is Spark's default file system."""
        def of() -> str:
            path = self._jvm.org.apache.hadoop.fs.Path(url)
            system = path.getFileSystem(self._conf)
            return str(system.makeQualified(path).toString())
        return _told(f'Cannot make out {url}', of)

    def local(self, url: str) -> str | None:
        """The path of a local file; None when it is none."""
        return url[len('file:'):] if url.startswith('file:') else None

    def renames_at_once(self, url: str) -> bool:
        return urlsplit(url).scheme in RENAMES_AT_ONCE

    def is_there(self, url: str) -> bool:
        """Also a link to nothing."""
        local = self.local(url)
        return os.path.lexists(local) if local is not None else _told(f'Cannot look for {url}', lambda: self._system(url).exists(self._path(url)))

    def is_folder(self, url: str) -> bool:
        return self.is_there(url) and _told(f'Cannot look at {url}', lambda: self._system(url).getFileStatus(self._path(url)).isDirectory())

    def modified(self, url: str) -> int:
        return _told(f'Cannot look at {url}', lambda: int(self._system(url).getFileStatus(self._path(url)).getModificationTime()))

    def list(self, url: str) -> list[Entry]:
        """Directly below a folder, in order of their names; none when there is no folder."""
        if not self.is_there(url):
            return []

        def of() -> list[Entry]:
            entries = [
                Entry(status.getPath().getName(), status.isDirectory(), int(status.getLen()), int(status.getModificationTime()))
                for status in self._system(url).listStatus(self._path(url))
            ]
            return sorted(entries, key=lambda entry: entry.path)
        return _told(f'Cannot list {url}', of)

    def walk(self, url: str) -> list[Entry]:
        """All files below a folder, in order of their paths."""
        files: list[Entry] = []
        folders = ['']
        while folders:
            for inside in self.several(lambda folder: [(folder, entry) for entry in self.list(f'{url}/{folder}' if folder else url)], folders):
                files.extend(Entry(_below(folder, entry.path), entry.is_folder, entry.size, entry.modified) for folder, entry in inside)
            folders = [entry.path for entry in files if entry.is_folder]
            files = [entry for entry in files if not entry.is_folder]
        return sorted(files, key=lambda entry: entry.path)

    def read(self, url: str, limit: int) -> bytes:
        """All of a file. Raises ValueError when it has more bytes than `limit`."""
        def of() -> bytes:
            stream = self._system(url).open(self._path(url))
            try:
                return bytes(self._jvm.org.apache.commons.io.IOUtils.toByteArray(
                    self._jvm.org.apache.commons.io.input.BoundedInputStream(stream, limit + 1)))
            finally:
                stream.close()
        content = _told(f'Cannot read {url}', of)
        if len(content) > limit:
            raise ValueError(f'it has more than {limit} bytes')
        return content

    def read_text(self, url: str, limit: int) -> str:
        return self.read(url, limit).decode()

    def write(self, url: str, content: bytes) -> None:
        """A new file, with the folders that it needs. A reader sees it whole where its name is nobody's yet: in a staging folder."""
        def of() -> None:
            stream = self._system(url).create(self._path(url), False)
            try:
                stream.write(content)
            finally:
                stream.close()
        _told(f'Cannot write {url}', of)

    def join(self, url: str, head: bytes, parts: Iterable[str]) -> None:
        """A new file of `head` and the files `parts`, one behind the other."""
        def of() -> None:
            out = self._system(url).create(self._path(url), False)
            try:
                out.write(head)
                for part in parts:
                    stream = self._system(part).open(self._path(part))
                    try:
                        self._jvm.org.apache.hadoop.io.IOUtils.copyBytes(stream, out, 1 << 16, False)
                    finally:
                        stream.close()
            finally:
                out.close()
        _told(f'Cannot write {url}', of)

    def touch(self, url: str, now: int) -> None:
        """Sets when it was modified, in milliseconds since 1970."""
        _told(f'Cannot write {url}', lambda: self._system(url).setTimes(self._path(url), now, -1))

    def make_folder(self, url: str) -> None:
        """And those above it."""
        if not _told(f'Cannot make {url}', lambda: self._system(url).mkdirs(self._path(url))):
            raise write_error(f'Cannot make {url}', 'the file system says no')

    def rename(self, old: str, new: str) -> None:
        """A file or folder; the folder of the new name is there, and nothing has the name."""
        local = self.local(old)
        if local is not None and self.local(new) is not None:
            _told(f'Cannot rename {old} to {new}', lambda: os.rename(local, str(self.local(new))))
        elif not _told(f'Cannot rename {old} to {new}', lambda: self._system(old).rename(self._path(old), self._path(new))):
            raise write_error(f'Cannot rename {old} to {new}', 'the file system says no')

    def remove(self, url: str) -> None:
        """With all that is in it; nothing when it is not there. Never through a link."""
        local = self.local(url)
        if local is not None and os.path.lexists(local) and stat.S_ISLNK(os.lstat(local).st_mode):
            _told(f'Cannot remove {url}', lambda: os.unlink(local))
        elif self.is_there(url):
            _told(f'Cannot remove {url}', lambda: self._system(url).delete(self._path(url), True))

    def several(self, work: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Does some at once, for each is a round trip; gives what they give, in order."""
        items = list(items)
        if len(items) < 2:
            return [work(item) for item in items]
        with ThreadPoolExecutor(min(_THREADS, len(items))) as pool:
            return list(pool.map(work, items))

    def _path(self, url: str) -> Any:
        return self._jvm.org.apache.hadoop.fs.Path(url)

    def _system(self, url: str) -> Any:
        parts = urlsplit(url)
        key = f'{parts.scheme}://{parts.netloc}'
        if key not in self._systems:
            system = self._path(url).getFileSystem(self._conf)
            has_checksums = is_instance_of(self._gateway, system, 'org.apache.hadoop.fs.ChecksumFileSystem')
            self._systems[key] = system.getRawFileSystem() if has_checksums else system
        return self._systems[key]


def write_error(what: str, why: str) -> JobError:
    return JobError('ETL_OUTPUT_WRITE', f'{what}: {why}.', HINT)


def _told(what: str, work: Callable[[], T]) -> T:
    try:
        return work()
    except Py4JJavaError as error:
        thrown = error.java_exception
        raise write_error(what, str(thrown.getMessage() or thrown.toString()).splitlines()[0].rstrip('.')) from error
    except (Py4JError, OSError) as error:
        raise write_error(what, str(error).splitlines()[0].rstrip('.')) from error


def _below(folder: str, name: str) -> str:
    return f'{folder}/{name}' if folder else name
