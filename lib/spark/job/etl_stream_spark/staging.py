"""
The output folder, from staging to publication.

Everything is written into a hidden folder beside the output, `.NAME.spark-RUN-...`, and becomes visible by one rename of the dataset
in it; `_SUCCESS` is inside by then. Replacing an earlier output takes two, the old one aside (`.NAME.previous`, as a local run does it:
either puts back what a killed one left there) and the new one into its place. An output that is a link to a version stays one.

Where a rename is a copy (object stores) the dataset is put together under the output's name, each file once, `_SUCCESS` last; a
dataset that is replaced is removed before that. Whoever reads it waits for `_SUCCESS`.

A failure, or leaving the block, before that removes all that the job made and leaves an earlier output untouched. A killed job leaves its
folder; the next job into the same output removes it when its owner is gone (owner.py).
"""
from __future__ import annotations

import secrets
from typing import Any

from pyspark.sql import SparkSession

from .errors import JobError
from .files import HINT, Files, write_error
from .owner import OWNER_MARK, OwnerMark, is_left_behind
from .replaceable import check_replaceable, is_dataset
from .settings import Settings
from .stop import too_late
from .versions import linked_version, prune_versions, publish_version


class Staging:
    """`renames`: whether the file system renames a folder in one step; None: by its scheme."""

    def __init__(self, spark: SparkSession, settings: Settings, renames: bool | None = None) -> None:
        self.files = Files(spark)
        self.output = self.files.qualified(settings.output)
        self.renames = self.files.renames_at_once(self.output) if renames is None else renames
        #: Folders of killed jobs that this one removed.
        self.left_behind: list[str] = []
        self._shown = settings.outputName
        self._overwrite = settings.overwrite
        self._parent, self._name = self.output.rsplit('/', 1)
        if not self._name or self.output == self._root():
            raise JobError('ETL_USAGE', f'--output must be the path of a folder, not {settings.outputName}.')
        self.folder = f'{self._parent}/.{self._name}.spark-{settings.run}-{secrets.token_hex(4)}'
        self._previous = f'{self._parent}/.{self._name}.previous'
        self._mark: OwnerMark | None = None
        self._made: str | None = None
        self._is_published = self._is_begun = False

    @property
    def data(self) -> str:
        """Where Spark writes totals."""
        return f'{self.folder}/data'

    @property
    def rejects(self) -> str:
        """Where Spark writes rejects."""
        return f'{self.folder}/rejects'

    @property
    def dataset(self) -> str:
        """Where the dataset is put together."""
        return f'{self.folder}/dataset' if self.renames else self.output

    def __enter__(self) -> 'Staging':
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        try:
            self.discard()
        except JobError as extra:
            if error is None:
                raise
            if hasattr(error, 'add_note'):
                error.add_note(extra.message)

    def check(self) -> None:
        """Raises ETL_OUTPUT_EXISTS when something is there that may not be replaced; makes nothing."""
        check_replaceable(self.files, self.output, self._shown, self._overwrite, self._standing())

    def make(self) -> None:
        """Makes the staging folder. Raises ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE."""
        self.check()
        if self._standing() != self.output:
            self.files.rename(self._previous, self.output)
        self._made = self._topmost_missing()
        self.files.make_folder(self.folder)
        self._mark = OwnerMark(self.files, self.folder)
        self._remove_left_behind()

    def begin(self) -> None:
        """The dataset is put together from now on. Raises ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE."""
        if not self.renames:
            self.check()
            too_late()
            self._is_begun = True
            if self.files.is_there(self.output):
                self.files.remove(f'{self.output}/_SUCCESS')  # first: what is left of it is no dataset any more
                self.files.remove(self.output)
        self.files.make_folder(self.dataset)

    def publish(self) -> None:
        """Makes what stands in `dataset` visible under the output's name. Raises ETL_OUTPUT_EXISTS, ETL_OUTPUT_WRITE."""
        self.files.write(f'{self.dataset}/_SUCCESS', b'')
        if self.renames:
            check_replaceable(self.files, self.output, self._shown, self._overwrite)
            too_late()
            self._put_in_place()
        self._is_published = True
        try:
            self.discard()
        except JobError:
            pass  # the dataset stands; the next job into the same output removes what is left

    def discard(self) -> None:
        """Removes what the job wrote, but for what is published; idempotent."""
        if self._mark is None:
            return
        self._mark.stop()
        self._mark = None
        if self._is_begun and not self._is_published:
            self.files.remove(self.output)
        self.files.remove(self.folder)
        if self._made is not None and not self._is_published:
            self._remove_made(self._made)

    def _put_in_place(self) -> None:
        local = self.files.local(self.output)
        if local is not None and linked_version(local) is not None:
            try:
                publish_version(local, str(self.files.local(self.dataset)))
            except OSError as error:
                raise write_error(f'Cannot publish the output {self._shown}', str(error)) from error
            try:
                prune_versions(local)
            except OSError:
                pass  # with a later run
            return
        replaces = self.files.is_there(self.output)
        if replaces:
            if is_dataset(self.files, self._previous):
                self.files.remove(self._previous)
            self.files.rename(self.output, self._previous)
        try:
            self._rename_to_output()
        except JobError:
            if replaces:
                self.files.rename(self._previous, self.output)
            raise
        if replaces:
            try:
                self.files.remove(self._previous)
            except JobError:
                pass  # the new output stands; what is left of the old one goes with the next run

    def _rename_to_output(self) -> None:
        """HDFS renames a folder into one that is there: if another job was faster, ours is not to stand in its dataset."""
        name = f'dataset-{secrets.token_hex(8)}'
        own = f'{self.folder}/{name}'
        self.files.rename(self.dataset, own)
        self.files.rename(own, self.output)
        if self.files.is_there(f'{self.output}/{name}'):
            self.files.rename(f'{self.output}/{name}', own)
            raise JobError('ETL_OUTPUT_EXISTS', f'The output {self._shown} exists already: another run has just made it.', HINT)

    def _standing(self) -> str:
        """Where the dataset of the output is: at the output, unless a killed process left it aside."""
        if self.renames and not self.files.is_there(self.output) and is_dataset(self.files, self._previous):
            return self._previous
        return self.output

    def _topmost_missing(self) -> str | None:
        """The first of the folders above that are made on the way."""
        missing, folder = None, self._parent
        while '/' in folder[len(self._root()):] and not self.files.is_there(folder):
            missing, folder = folder, folder.rsplit('/', 1)[0]
        return missing

    def _root(self) -> str:
        """Scheme and authority."""
        scheme, _, rest = self.output.partition(':')
        return f'{scheme}://{rest[2:].split("/", 1)[0]}' if rest.startswith('//') else f'{scheme}:'

    def _remove_made(self, made: str) -> None:
        folder = self._parent
        while folder.startswith(made) and self.files.is_there(folder) and not self.files.list(folder):
            self.files.remove(folder)
            folder = folder.rsplit('/', 1)[0]

    def _remove_left_behind(self) -> None:
        now = self.files.modified(f'{self.folder}/{OWNER_MARK}')
        for entry in self.files.list(self._parent):
            path = f'{self._parent}/{entry.path}'
            if not entry.is_folder or not entry.path.startswith(f'.{self._name}.spark-') or path == self.folder:
                continue
            try:
                if is_left_behind(self.files, path, now):
                    self.files.remove(path)
                    self.left_behind.append(self.files.local(path) or path)
            except JobError:
                pass  # it stays, or another job was faster
