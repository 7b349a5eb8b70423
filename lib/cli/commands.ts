/** All commands but a run, which does not load them: together, for a module file of a bundle each would cost it more. */
export { completionCommand } from './completion/command.ts';
export { configCommand } from './config.ts';
export { dashboardCommand } from './dashboard.ts';
export { explainCommand } from './explain.ts';
export { generateCommand } from './generate.ts';
export { inspectCommand } from './inspect.ts';
export { parseCommand } from './parse.ts';
export { queryCommand } from './query.ts';
export { emitCommand, runOnSparkCommand } from './spark.ts';
export { checkCommand, compactCommand, forgetCommand, showCommand } from './state.ts';
export { validateCommand } from './validate.ts';
export { verifyCommand } from './verify.ts';
