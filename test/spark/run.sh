#!/usr/bin/env bash
# npm run test:spark: what needs Apache Spark, against the one that setup.sh makes. Where Python or Java is missing, a line says so, and nothing fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
status=0
test/spark/setup.sh || status=$?
if [ "$status" = 3 ]; then
  echo 'The tests of the Spark engine are skipped: see the line above.'
  exit 0
fi
[ "$status" = 0 ] || exit "$status"
exec node scripts/test.mjs $(find test/spark -name '*.test.ts' | sort)
