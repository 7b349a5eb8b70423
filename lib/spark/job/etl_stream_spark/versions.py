"""An output of a local run with a state is a link to one of its versions (lib/dataset/versions.ts): it is replaced as a local run does."""
from __future__ import annotations

import os
import re
import secrets
import shutil

_VERSION = re.compile(r'(v|link)-[0-9a-f]{16}\Z')


def versions_of(output: str) -> str:
    """Where they stand. Paths are local ones, as everywhere here."""
    return os.path.join(os.path.dirname(output), f'.{os.path.basename(output)}.versions')


def linked_version(output: str) -> str | None:
    """That which an output links to, there or not; None when it is no link, or not one of etl-stream's."""
    try:
        target = os.readlink(output)
    except OSError:
        return None
    version = os.path.normpath(os.path.join(os.path.dirname(output), target))
    is_ours = os.path.dirname(version) == versions_of(output) and _VERSION.match(os.path.basename(version))
    return version if is_ours else None


def publish_version(output: str, folder: str) -> None:
    """Gives a finished folder the name of a version, and the output a link to it, in one step. Raises OSError."""
    versions = versions_of(output)
    version, link = (os.path.join(versions, f'{kind}-{secrets.token_hex(8)}') for kind in ('v', 'link'))
    os.makedirs(versions, exist_ok=True)
    os.rename(folder, version)
    try:
        os.symlink(os.path.relpath(version, os.path.dirname(output)), link)
        os.rename(link, output)
    except OSError:
        shutil.rmtree(version, ignore_errors=True)
        if os.path.lexists(link):
            os.unlink(link)
        raise


def prune_versions(output: str) -> None:
    """Removes all but the one that is published and the newest of the others. What cannot be removed goes with a later run."""
    versions, published = versions_of(output), linked_version(output)
    others = [os.path.join(versions, name) for name in os.listdir(versions) if _VERSION.match(name)]
    others = [path for path in others if path != published]
    folders = sorted((path for path in others if not os.path.islink(path)), key=os.path.getmtime, reverse=True)
    for path in others:
        if os.path.islink(path):
            os.unlink(path)
        elif path != folders[0]:
            shutil.rmtree(path, ignore_errors=True)
