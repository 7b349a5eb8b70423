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
# The longest first, and three at a time: each waits now and then.
first=(test/spark/engine.test.ts test/spark/cluster.test.ts test/spark/session.test.ts)
exec env ETL_TEST_FILES=3 node scripts/test.mjs "${first[@]}" $(find test/spark -name '*.test.ts' | grep -vxF "$(printf '%s\n' "${first[@]}")" | sort)
