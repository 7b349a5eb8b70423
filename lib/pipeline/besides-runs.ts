/**
 * What there is besides a run. Loaded together, when any of it is wanted: a run does not pay for it, and Node takes 0.4 ms and some memory
 * for each module file of a bundle, of which every import that can be made alone makes more.
 */
export { checkState } from './check-state.ts';
export { explainJob } from './explain.ts';
export { describeState } from './inspect.ts';
export { inspectDataset } from './inspect-dataset.ts';
export { DatasetQueries } from './open-queries.ts';
export { queryDataset } from './query-dataset.ts';
export { readReports } from './reports.ts';
export { runSparkJob, writeSparkJob } from '../spark/spark-job.ts';
export { compactState, forgetState } from './tend.ts';
export { validateInputs } from './validate.ts';
export { verifyDataset } from './verify.ts';
