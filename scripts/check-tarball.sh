#!/usr/bin/env bash
# The packed tarball at work, by the Node of PATH: installed into an empty folder as a user would, but without any install script, it
# generates logs, counts them in every way, and is used as a library. Usage: scripts/check-tarball.sh TARBALL
set -euo pipefail
tarball=$(realpath "$1")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# A job with a state needs LevelDB, whose package has an install script: it only builds what is not there prebuilt.
npm init -y > /dev/null
npm install --silent --no-audit --no-fund --ignore-scripts "$tarball"
PATH="$folder/node_modules/.bin:$PATH"
echo "etl-stream $(etl-stream --version) on Node $(node --version)"

etl-stream generate logs --files 2 --size 1MB --users 1000 --bad-rows 0.01
cat logs/*.csv > all.csv
etl-stream logs -o by-folder --no-state --json > summary.json
node -e '
  const { rows, files } = JSON.parse(require("fs").readFileSync("summary.json", "utf8"));
  require("assert").ok(rows.read > 1000 && rows.rejected > 0 && files > 10);
  require("assert").strictEqual(rows.read, rows.counted + rows.duplicates + rows.rejected);
'
for _ in first again; do etl-stream < logs/logs-0001.csv; done
test -f etl-output/_SUCCESS
etl-stream logs/logs-0001.csv -o totals -q
etl-stream logs -o totals --json > second.json
etl-stream logs -o totals 2>&1 | grep 'nothing new'
node -e 'const { inputs, state } = JSON.parse(require("fs").readFileSync("second.json", "utf8")); require("assert").deepStrictEqual([inputs, state.knownInputs], [1, 1]);'
etl-stream state check totals
test -s by-folder/_etl/report.html
diff -r --exclude=state.json --exclude=reports --exclude=report.html by-folder totals
# Without a state: a plain folder, and nothing beside it.
test ! -L by-folder
test ! -e .by-folder.state

# The job for a Spark cluster, with all that it needs.
etl-stream spark --emit job s3a://logs -o s3a://totals
test -s job/job.py -a -s job/etl_stream_spark.zip -a -d job/ranges
node -e 'require("assert").ok(JSON.parse(require("fs").readFileSync("job/settings.json", "utf8")).geo.regions.length > 200)'

cat > library.mjs <<'END'
import { run, parseCsv } from 'etl-stream';
import { createReadStream } from 'node:fs';
const summary = await run({ inputs: ['logs'], output: 'by-library', state: false });
let records = 0;
for await (const batch of parseCsv(createReadStream('logs/logs-0001.csv'))) records += batch.length;
console.log(`library: ${summary.rows.counted} counted, ${records} records parsed`);
END
node library.mjs
diff -r --exclude=reports --exclude=report.html by-folder by-library

# Looked at: by SQL, and by the dashboard's server.
etl-stream query totals 'SELECT sum(log_count) AS logs, count(DISTINCT user_id) AS users FROM watch_time' --format csv > query.csv
node -e '
  const [head, logs] = require("fs").readFileSync("query.csv", "utf8").split("\n");
  const { rows, users } = JSON.parse(require("fs").readFileSync("summary.json", "utf8"));
  require("assert").deepStrictEqual([head, logs], ["logs,users", `${rows.counted},${users}`]);
'
cat > look.mjs <<'END'
import assert from 'node:assert';
import { startDashboard } from 'etl-stream';
const { url, close } = await startDashboard({ output: 'totals' });
const get = async (path) => {
  const answer = await fetch(new URL(path, url));
  assert.equal(answer.status, 200, path);
  return answer.text();
};
const page = await get('/');
for (const [, asset] of page.matchAll(/(?:src|href)="(\/[^"]+)"/g)) assert.ok((await get(asset)).length > 1000, asset);
const { regions, totals } = JSON.parse(await get('/api/overview'));
const selection = JSON.parse(await get(`/api/selection?region=${regions[0].region}`));
assert.equal(selection.watchTime, regions[0].total);
await close();
console.log(`dashboard: ${totals.users} users, ${selection.rows} of them in ${regions[0].region}`);
END
node look.mjs
# Without DuckDB, which is optional, the rest works.
rm -r node_modules/@duckdb
etl-stream inspect totals > /dev/null
if etl-stream query totals 'SELECT 1' 2> missing.txt; then exit 1; fi
grep 'npm install @duckdb/node-api' missing.txt
echo 'the tarball works'
