/** What is known of a job on Spark while it goes on, as facts of the line that a local run has: Spark counts tasks, not rows. */
import type { SparkProgress } from '../../index.ts';
import { number } from '../../core/figures.ts';
import { clock } from './figures.ts';
import type { Facts, FactsTeller } from './facts.ts';

export class SparkFacts implements FactsTeller<SparkProgress> {
  tell(progress: SparkProgress): { facts: Facts; data: object } {
    return { facts: factsOf(progress), data: progress };
  }
}

function factsOf({ phase, seconds, stage, tasks, tasksDone = 0 }: SparkProgress): Facts {
  const share = tasks ? Math.min(1, tasksDone / tasks) : undefined;
  return {
    facts: [
      { name: 'phase', long: stage === undefined ? phase : `${phase}, stage ${stage}`, short: phase },
      ...(tasks ? [{ name: 'done' as const, long: `${number(tasksDone)} of ${number(tasks)} tasks`, short: `${number(tasksDone)}/${number(tasks)}` }] : []),
      { name: 'elapsed', long: `for ${clock(seconds)}`, short: clock(seconds) },
    ],
    share,
  };
}
