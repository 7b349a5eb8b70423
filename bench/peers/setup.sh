#!/usr/bin/env bash
# Makes bench/.venv with the Python peers of the benchmark. Safe to repeat: what is there already is left alone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
venv=../.venv
missing=0

python=${PYTHON:-python3}
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "Python 3.10 or later is needed: install it, or name it by PYTHON=..." >&2
  missing=1
elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
  echo "Python's venv module is needed (Debian: python3-venv)." >&2
  missing=1
fi

java=${JAVA_HOME:+$JAVA_HOME/bin/}java
version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' || true)
if [ "${version:-0}" -lt 17 ]; then
  echo "Java 17 or later is needed for PySpark (found: ${version:-none}): install it (Debian: openjdk-17-jre-headless), or set JAVA_HOME." >&2
  missing=1
fi
[ "$missing" = 0 ] || exit 1
javac=${JAVA_HOME:+$JAVA_HOME/bin/}javac

[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
"$venv/bin/python" -m pip list --disable-pip-version-check --format freeze | grep -iE '^(polars|pyarrow|pyspark)='

# See LocalFiles.java. Without a JDK the peer runs all the same, some 12 s slower.
if command -v "$javac" >/dev/null; then
  jars=$("$venv/bin/python" -c 'import os, pyspark; print(os.path.join(os.path.dirname(pyspark.__file__), "jars"))')
  "$javac" -nowarn -cp "$jars/*" -d "$venv/classes" LocalFiles.java
else
  echo "No javac: PySpark will take some 12 s longer to write its files (see bench/README.md). A JDK (Debian: openjdk-17-jdk-headless) helps." >&2
fi
