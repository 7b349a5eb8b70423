/**
 * The table: every command with its arguments and options. Nobody else says which options there are. An option of a run is
 * one key of a configuration file for every command that has it; what a command has alone stands in its section (settings.ts).
 */
import { generateDefaults } from '../../generate/options.ts';
import { date, duration, folder, share, size, text, whole } from './kinds.ts';
import { columns, dialect, glob, parserOptions } from './input-options.ts';
import { always, explain, json, metricsFile, quiet, shells } from './message-options.ts';
import { queryResources, queryResult } from './query-options.ts';
import { engine, output, resources, result, state, stateFolder } from './run-options.ts';
import type { ArgumentSpec, CommandSpec, Handler, OptionGroup, OptionSpec } from './spec.ts';

const inputs: ArgumentSpec = {
  name: 'inputs', about: 'files, folders (searched for logs), or - for standard input', isOptional: true, isVariadic: true, completes: 'files',
};
const dataset: ArgumentSpec = { name: 'output', about: 'the dataset: a folder that a run published', completes: 'folders' };

const messages = (...options: OptionSpec[]): OptionGroup => ({ title: 'Messages and configuration', options: [...options, ...always] });

const stateCommands: readonly CommandSpec[] = [
  {
    name: 'check', about: 'verify the state and the dataset, one against the other; a line on stderr for each problem',
    arguments: [dataset], groups: [{ title: 'Options', options: [stateFolder, json] }, messages()],
    examples: [['etl-stream state check totals', 'exit code 1 when something is wrong']],
    load: async () => handler((await import('../commands.ts')).checkCommand),
  },
  {
    name: 'compact', about: 'merge what the state has of ids, and give back disk space',
    arguments: [dataset], groups: [{ title: 'Options', options: [stateFolder] }, messages()],
    examples: [['etl-stream state compact totals', 'nothing that counts is changed']],
    load: async () => handler((await import('../commands.ts')).compactCommand),
  },
  {
    name: 'forget', about: 'forget ids that were counted before a date: logs that come with them again count again; totals stay',
    arguments: [dataset],
    groups: [
      { title: 'Options', options: [{ name: 'before', kind: date, about: 'such as 2026-11-01 (UTC), or 2026-11-01T12:00:00Z', isRequired: true, isCommandLineOnly: true, isCommon: true }, stateFolder] },
      messages(),
    ],
    examples: [['etl-stream state forget totals --before 2026-11-01', 'says how many']],
    load: async () => handler((await import('../commands.ts')).forgetCommand),
  },
];

const generate: CommandSpec = {
  name: 'generate', about: 'write realistic logs, the same bytes for the same arguments',
  arguments: [{ name: 'folder', about: 'where to write them', completes: 'folders' }],
  groups: [
    {
      title: 'The logs',
      options: [
        { name: 'files', kind: whole(), about: 'number of files', value: generateDefaults.files, fallback: String(generateDefaults.files), isCommon: true },
        { name: 'size', kind: size, about: 'bytes of all files together', value: generateDefaults.size, fallback: '1GB', isCommon: true },
        { name: 'users', kind: whole(), about: 'number of different users', value: generateDefaults.users, fallback: String(generateDefaults.users), isCommon: true },
        { name: 'duplicates', kind: share, about: 'share of rows that are copies of earlier ones, 0 to 1', value: generateDefaults.duplicates, fallback: String(generateDefaults.duplicates), isCommon: true },
        { name: 'bad-rows', kind: share, about: 'share of rows with something wrong, 0 to 0.5', value: generateDefaults.badRows, fallback: String(generateDefaults.badRows), isCommon: true },
        { name: 'seed', kind: whole('number'), about: 'seed of the random numbers', value: generateDefaults.seed, fallback: String(generateDefaults.seed), isCommon: true },
        { name: 'overwrite', about: 'replace files of the same names', isCommon: true, isOwn: true },
      ],
    },
    messages(quiet),
  ],
  examples: [['etl-stream generate logs --files 4 --size 200MB', 'and then: etl-stream logs']],
  load: async () => handler((await import('../commands.ts')).generateCommand),
};

const jobGroups: readonly OptionGroup[] = [{ title: 'Input and output', options: [output, glob] }, columns, dialect, result];
const runGroups: readonly OptionGroup[] = [...jobGroups, state, resources, engine];
const runMessages = messages(explain, { ...json, about: 'print the summary as JSON on stdout', isCommon: true }, quiet, metricsFile);

/** The command without a name, by a name: for whoever wants to say what is done, or has an input that is called like a command. */
const run: CommandSpec = {
  name: 'run', about: 'run the job, as etl-stream does without a command; on this machine, or with --engine spark on a cluster',
  arguments: [inputs], groups: [...runGroups, runMessages],
  examples: [
    ['etl-stream run logs/ -o totals', 'the same as: etl-stream logs/ -o totals'],
    ['etl-stream run --engine spark --master "local[4]" logs/ -o totals', ''],
    ['etl-stream run --engine spark --master yarn s3a://logs/ -o s3a://out/totals', ''],
  ],
  readsStandardInput: true,
  load: async () => handler((await import('../run.ts')).runCommand),
};

const spark: CommandSpec = {
  name: 'spark', about: 'write the job for a Spark cluster into a folder, for whoever submits it by other means',
  arguments: [{ ...inputs, about: 'files, folders and URLs as the cluster knows them' }],
  groups: [
    {
      title: 'The job',
      options: [{
        name: 'emit', kind: folder, about: 'where the job is written', isCommon: true, isRequired: true, isCommandLineOnly: true,
        detail: 'Where the job is written: a folder that is not there or is empty, or with `--overwrite` one of an earlier job. Its README says how it is submitted.',
      }],
    },
    ...jobGroups,
    { title: 'Of runs on this machine alone: refused, with what to say instead', options: [...state.options, ...resources.options].map((option) => ({ ...option, isCommon: false })) },
    messages(json, quiet),
  ],
  examples: [['etl-stream spark --emit job s3a://in/logs/ -o s3a://out/totals', 'and then: see job/README.md']],
  load: async () => handler((await import('../commands.ts')).emitCommand),
};

export const program: CommandSpec = {
  name: 'etl-stream',
  about: 'Counts activity logs exactly once; publishes watch time per user and region.',
  arguments: [inputs],
  groups: [...runGroups, runMessages],
  examples: [
    ['cat logs.csv | etl-stream', ''],
    ['etl-stream logs/ -o totals', 'again, when there are more logs: adds what is new'],
    ['etl-stream logs/ -o totals --overwrite', 'begins afresh'],
    ['etl-stream logs/ -o totals --explain', 'what that would do'],
    ['etl-stream a.csv b.csv --no-state --group-by user --json', ''],
    ['etl-stream validate logs/', 'what a run would reject'],
    ['etl-stream inspect totals', 'what is in it; etl-stream verify totals: is it whole?'],
    ['etl-stream generate logs/ --size 1GB && etl-stream logs/', ''],
  ],
  readsStandardInput: true,
  load: async () => handler((await import('../run.ts')).runCommand),
  commands: [
    run,
    spark,
    generate,
    {
      name: 'parse', about: 'print the records of a CSV file, header included; what is malformed is told on stderr, as JSON lines',
      arguments: [{ name: 'file', about: 'standard input, if none is named', isOptional: true, completes: 'files' }],
      groups: [
        { title: 'Output', options: [{ ...json, about: 'each record as a JSON array, one a line', isRequired: true, isCommon: true }] },
        parserOptions, messages(),
      ],
      examples: [['etl-stream parse any.csv --json --delimiter ";"', '']],
      load: async () => handler((await import('../commands.ts')).parseCommand),
    },
    {
      name: 'validate', about: 'read inputs as a run would and print what it would reject, by file and reason; publish nothing',
      arguments: [inputs],
      groups: [{ title: 'Input', options: [glob] }, columns, dialect, messages({ ...json, isCommon: true }, quiet)],
      examples: [['etl-stream validate logs/ --rule timestamp:type=timestamp', 'exit code 3: a run would not take them']],
      readsStandardInput: true,
      load: async () => handler((await import('../commands.ts')).validateCommand),
    },
    {
      name: 'inspect', about: 'show what a dataset is: columns, files, regions with their totals, IP database, state',
      arguments: [dataset],
      groups: [{ title: 'Options', options: [{ ...json, isCommon: true }] }, messages()],
      examples: [['etl-stream inspect totals', '']],
      load: async () => handler((await import('../commands.ts')).inspectCommand),
    },
    {
      name: 'dashboard', about: 'serve a page that shows a dataset: regions, users, runs, rejects, and answers to SQL; it follows new results',
      arguments: [dataset],
      groups: [
        {
          title: 'Options',
          options: [
            { name: 'port', kind: whole('number'), about: 'port to listen at; 0: any that is free', fallback: '0', isCommon: true },
            { name: 'host', kind: text('host'), about: 'where it listens; what others can reach needs --token', fallback: '127.0.0.1', isCommon: true },
            {
              name: 'token', kind: text('token'), about: 'what whoever opens it must know, 16 characters or more', isCommon: true,
              detail: 'What whoever opens it must know, 16 characters or more: it is part of the address that is printed, and programs say it as `Authorization: Bearer`.',
            },
            { name: 'open', about: 'open it in the browser', isCommon: true },
            { name: 'timeout', kind: duration, about: 'longest that a query may take', fallback: '30s' },
            {
              name: 'memory', kind: size, about: 'most memory that it may have resident, all its processes together', fallback: '512MB', isOwn: true,
            },
          ],
        },
        messages(),
      ],
      examples: [['etl-stream dashboard totals --open', 'Ctrl+C ends it'], ['etl-stream dashboard totals --host 0.0.0.0 --port 8080 --token "$TOKEN"', 'for other machines']],
      load: async () => handler((await import('../commands.ts')).dashboardCommand),
    },
    {
      name: 'verify', about: 'verify that files, footers, order, sums and state of a dataset agree; a line on stderr for each problem',
      arguments: [dataset],
      groups: [{ title: 'Options', options: [{ ...stateFolder, negation: 'verify the dataset without its state', isCommon: true }, { ...json, isCommon: true }] }, messages()],
      examples: [['etl-stream verify totals', 'exit code 1 when something is wrong'], ['etl-stream verify totals --no-state', 'also while a run goes on']],
      load: async () => handler((await import('../commands.ts')).verifyCommand),
    },
    {
      name: 'query', about: 'ask a dataset in SQL (DuckDB): views watch_time, runs, inputs, rejects; nothing is changed. A prompt, if no SQL is said',
      arguments: [dataset, { name: 'sql', about: 'one statement; -: from standard input', isOptional: true, completes: [] }],
      groups: [{ title: 'The result', options: queryResult }, { title: 'What the query may take', options: queryResources }, messages({ ...quiet, about: 'print no number of rows' })],
      examples: [
        ['etl-stream query totals "FROM watch_time LIMIT 5"', ''],
        ['etl-stream query totals -o top.csv < top.sql', ''],
        ['etl-stream query totals', 'a prompt'],
      ],
      load: async () => handler((await import('../commands.ts')).queryCommand),
    },
    {
      name: 'state', about: 'show what the state of a dataset holds: commits, inputs, ids, sizes',
      arguments: [dataset],
      groups: [{ title: 'Options', options: [{ ...stateFolder, isCommon: true }, { ...json, isCommon: true }] }, messages()],
      examples: [['etl-stream state totals', ''], ['etl-stream state ./check', 'an output that is called like one of the commands']],
      load: async () => handler((await import('../commands.ts')).showCommand),
      commands: stateCommands,
    },
    {
      name: 'config', about: 'print the effective value of each option of a run, and where it comes from: a flag, the environment, a file, or nowhere',
      arguments: [], groups: [...runGroups, messages({ ...json, isCommon: true })],
      examples: [['etl-stream config --memory 1GB', '']],
      load: async () => handler((await import('../commands.ts')).configCommand),
    },
    {
      name: 'completion', about: 'print what makes a shell complete commands and options',
      arguments: [{ name: 'shell', about: shells.join(', '), completes: shells }], groups: [messages()],
      examples: [['source <(etl-stream completion bash)', '']],
      load: async () => handler((await import('../commands.ts')).completionCommand),
    },
  ],
};

function handler(run: Handler['run']): Handler {
  return { run };
}
