#!/usr/bin/env bash
# Makes test/spark/.venv with Apache Spark for `npm run test:spark`. Safe to repeat: what is there already is left alone.
# Exits with 3, and a line that says what is missing, where Python or Java is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

python=${PYTHON:-python3}
if ! "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  echo "Python 3.10 or later with its venv module is missing (Debian: python3-venv); PYTHON=... names one." >&2
  exit 3
fi
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
version=$("$java" -version 2>&1 | sed -n 's/.*version "\([0-9]*\).*/\1/p' || true)
if [ "${version:-0}" -lt 17 ]; then
  echo "Java 17 or later is missing (found: ${version:-none}; Debian: openjdk-17-jre-headless); JAVA_HOME names one." >&2
  exit 3
fi
if ! cmp -s requirements.txt .venv/requirements.txt; then
  "$python" -m venv .venv
  # Some 450 MB. A mirror that hangs is to fail here, with a sentence.
  .venv/bin/python - <<'PYTHON'
import subprocess, sys
pip = [sys.executable, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--requirement', 'requirements.txt']
try:
    sys.exit(subprocess.run(pip, timeout=300).returncode)
except subprocess.TimeoutExpired:
    sys.exit('test/spark/setup.sh: pip had not installed Apache Spark after 300 s, and was ended.')
PYTHON
  cp requirements.txt .venv/requirements.txt
fi
