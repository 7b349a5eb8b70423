/** What is measured: paths, and which of the Python peers are installed. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

export const etlStream = path('../dist/bin/etl-stream.js');
/** A run without a state, as all are but those of `bench -- state`: no peer keeps anything for a next run. */
export const oneShot = [etlStream, '--no-state'] as const;
export const duckdb = path('peers/duckdb.mjs');
export const polars = path('peers/polars_job.py');
export const pyspark = path('peers/pyspark_job.py');
export const polarsPyspark = path('peers/polars_pyspark_job.py');
export const outputs = path('data/output/');
export const python = path('.venv/bin/python');

/** For Python: compiled modules out of the checkout. */
export const pythonEnvironment = { PYTHONPYCACHEPREFIX: path('data/pycache/') };

/** Versions of what is installed: `python`, `polars`, `pyspark`, `java`; the last two only together. */
export function pythonVersions(): Record<string, string> {
  if (!existsSync(python)) return {};
  const script = `
import importlib.metadata as metadata, json, platform
found = {'python': platform.python_version()}
for name in ('polars', 'pyspark'):
    try: found[name] = metadata.version(name)
    except metadata.PackageNotFoundError: pass
print(json.dumps(found))`;
  const { pyspark, ...found } = JSON.parse(execFileSync(python, ['-c', script], { encoding: 'utf8' })) as Record<string, string>;
  const java = javaVersion();
  return pyspark === undefined || java === undefined ? found : { ...found, pyspark, java };
}

function javaVersion(): string | undefined {
  const java = process.env.JAVA_HOME ? `${process.env.JAVA_HOME}/bin/java` : 'java';
  try {
    return execFileSync(java, ['--version'], { encoding: 'utf8' }).split(/\s+/)[1];
  } catch {
    return undefined;
  }
}
