/** Options of a run that say what becomes of the rows: the result, what is kept for later runs, what the run may take. */
import { compressions, DEFAULT_CHECKPOINT, DEFAULT_OUTPUT, groupings, parquetEncodings, rejectsFormats } from '../../core/options.ts';
import { duration, file, folder, oneOf, size, sparkConf, text, whole } from './kinds.ts';
import type { OptionGroup, OptionSpec } from './spec.ts';

export const DEFAULT_STATE = '.NAME.state beside the output NAME';

export const output: OptionSpec = { name: 'output', short: 'o', kind: folder, about: 'where to publish', fallback: DEFAULT_OUTPUT, isCommon: true };

export const result: OptionGroup = {
  title: 'The result',
  options: [
    {
      name: 'overwrite', about: 'begin afresh, and replace the output when that is done', isCommon: true,
      detail: 'Begin afresh: replace an output that exists, and what its state holds, once the new one is complete; only ever one that etl-stream wrote and that holds nothing else.',
    },
    {
      name: 'group-by', kind: oneOf('what', groupings), about: 'one row per region and user, or per user', fallback: groupings[0]!, isCommon: true,
      detail: 'One row per region and user, or one per user with the region that has most of the watch time.',
    },
    { name: 'geo-db', kind: file, about: 'IP database in MMDB format', fallback: 'the embedded DB-IP Lite' },
    {
      name: 'geo-field', kind: text('path'), about: 'field of its records that is the region', fallback: 'country.iso_code, else country_code',
      detail: 'Field of its records, such as `subdivisions.0.iso_code`.',
    },
    { name: 'compression', kind: oneOf('codec', compressions), about: 'codec of the Parquet files', fallback: compressions[0]! },
    {
      name: 'parquet-encoding', kind: oneOf('how', parquetEncodings), about: 'smallest encodings, or plain for old readers', fallback: parquetEncodings[0]!,
      detail: 'Delta encodings where they win, or plain for old readers.',
    },
    {
      name: 'rejects-format', kind: oneOf('format', rejectsFormats), about: 'how rejected rows are written', fallback: rejectsFormats[0],
      detail: 'How rejects are written: `_rejects.jsonl`, or `_rejects.csv` to be mended and fed back.',
    },
    {
      name: 'report', about: '', negation: 'write no report of the run',
      detail: 'Write no report of the run: neither `_etl/report.html` nor its JSON in `_etl/reports`.',
    },
  ],
};

/** Also of the commands that look at a state. */
export const stateFolder: OptionSpec = {
  name: 'state', kind: folder, about: 'where the state is that runs continue from', fallback: DEFAULT_STATE,
  detail: 'Where the state is that runs continue from: what earlier runs have counted, which is not counted again.',
};

export const state: OptionGroup = {
  title: 'Day after day',
  options: [
    {
      ...stateFolder, negation: 'read all inputs, keep nothing for later runs',
      detail: `${stateFolder.detail!} \`--no-state\`: read all inputs and keep nothing; the output is a plain folder, and one that exists is an error unless you say \`--overwrite\`.`,
    },
    {
      name: 'checkpoint', kind: size, about: 'how much is read before it is committed', fallback: `${DEFAULT_CHECKPOINT / 1e9}GB`,
      detail: 'How much is read, as it stands on the disk, before it is committed to the state, so that a run that ends early is continued from there.',
    },
    {
      name: 'dedup-window', kind: duration, about: 'forget ids of runs that are longer ago: 30d, 12h, 2w', fallback: 'none is forgotten',
      detail: 'Forget ids of runs that are longer ago, such as `30d`, `12h`, `2w`: logs that come with them again count again.',
    },
  ],
};

export const engines = ['local', 'spark'] as const;

/** Which machines do the job: in one list for all commands that run one. */
export const engine: OptionGroup = {
  title: 'Apache Spark',
  options: [
    {
      name: 'engine', kind: oneOf('engine', engines), about: 'this machine, or a Spark cluster', fallback: engines[0], isCommon: true,
      detail: 'What does the job: this process, or Apache Spark, with the same result. Spark 4.0 and Java 17 have to be there, and inputs and output may be URLs that it takes.',
    },
    { name: 'master', kind: text('master'), about: 'of Spark: local[2], spark://…, yarn, k8s://…', fallback: 'what Spark is configured with' },
    {
      name: 'spark-submit', kind: file, about: 'the spark-submit that is run', fallback: 'that of SPARK_HOME, else of PATH',
    },
    {
      name: 'conf', kind: sparkConf, about: 'a setting of Spark; again for more', detail: 'A setting of Spark, such as `spark.executor.memory=4g`; again for more. Of one that is said twice, the last counts.',
    },
  ],
};

export const resources: OptionGroup = {
  title: 'What the run may take',
  options: [
    {
      name: 'memory', kind: size, about: 'most memory that the process may have resident', fallback: 'half of what there is, 128MB to 2GB', isCommon: true,
      detail: 'Most memory that the process may have resident. Default: half of what it may have (control groups v1 and v2 count), at least 128 MB, at most 2 GB.',
    },
    {
      name: 'jobs', short: 'j', kind: whole(), about: 'most threads that work at once', fallback: 'one a processor', isCommon: true,
      detail: 'Most threads that work at once. Default: as many as there are processors for it (quotas of control groups count). One does where there is little input or memory.',
    },
    { name: 'temp', kind: folder, about: 'folder for temporary files', fallback: 'beside the output' },
    {
      name: 'max-spill', kind: size, about: 'most that temporary files may take', fallback: 'no limit',
      detail: 'Most that temporary files may take at a time; more is an error, before the disk is full.',
    },
  ],
};
