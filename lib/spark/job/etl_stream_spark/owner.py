"""
Who uses a staging folder: a mark inside it, from which a later job tells whether the owner is gone.

  the same host and boot    gone when there is no such process (its id, and when it was started)
  anything else             nobody can tell: the owner touches its mark every minute, and one that was not touched for a day is taken for gone

Times are those of the file system, which the job that looks has just written to.
"""
from __future__ import annotations

import json
import os
import socket
import threading
import time

from .errors import JobError
from .files import Files

OWNER_MARK = '.etl-stream-owner.json'
LEFT_AFTER = 24 * 3600 * 1000
_TOUCHED_EVERY = 60
_MARK_MAX_BYTES = 4096


class OwnerMark:
    """Puts the mark into a folder, and touches it until `stop`."""

    def __init__(self, files: Files, folder: str) -> None:
        self._files = files
        self._url = f'{folder}/{OWNER_MARK}'
        self._stopped = threading.Event()
        files.write(self._url, f'{json.dumps(_this())}\n'.encode())
        threading.Thread(target=self._touch, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _touch(self) -> None:
        while not self._stopped.wait(_TOUCHED_EVERY):
            try:
                if self._files.renames_at_once(self._url):
                    self._files.touch(self._url, int(time.time() * 1000))
                else:  # an object has the time at which it was written
                    self._files.remove(self._url)
                    self._files.write(self._url, f'{json.dumps(_this())}\n'.encode())
            except Exception:  # the process is there for all to see, or the folder is gone
                pass


def is_left_behind(files: Files, folder: str, now: int) -> bool:
    """Whether the job that made `folder` is gone, as far as can be told. `now`: by the file system's clock."""
    mark = f'{folder}/{OWNER_MARK}'
    try:
        there = files.is_there(mark)
        modified = files.modified(mark if there else folder)
        owner = json.loads(files.read_text(mark, _MARK_MAX_BYTES)) if there else None
    except (JobError, ValueError):
        return False
    this = _this()
    if owner and this['boot'] and all(owner.get(name) == this[name] for name in ('host', 'boot', 'pidNamespace')):
        return not _is_running(owner)
    return now - modified > LEFT_AFTER


def _this() -> dict[str, object]:
    return {
        'host': socket.gethostname(), 'boot': _text('/proc/sys/kernel/random/boot_id'), 'pidNamespace': _link('/proc/self/ns/pid'),
        'pid': os.getpid(), 'started': _started('self'),
    }


def _is_running(owner: dict[str, object]) -> bool:
    started = _started(str(owner.get('pid')))
    return started is not None and started == owner.get('started')


def _started(pid: str) -> str | None:
    """In clock ticks since the boot; None when there is no such process, or it has ended."""
    text = _text(f'/proc/{pid}/stat')
    fields = text[text.rindex(')') + 2:].split(' ') if text else []
    return fields[22 - 3] if fields and fields[0] != 'Z' else None


def _text(path: str) -> str | None:
    try:
        with open(path, encoding='latin1') as file:
            return file.read().strip()
    except OSError:
        return None


def _link(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None
