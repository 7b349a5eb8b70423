/** LevelDB, and who may stand before, in and after each of its writes. */
import { openLevel, type Database, type OpenDatabase, type Operation } from '../../lib/state/database.ts';

/** What writes. */
export type Call = 'batch' | 'compactRange';

export interface Hooks {
  /** May throw instead, or wait. */
  before?(call: Call, operations: readonly Operation[], options: { readonly sync?: boolean }): unknown;
  /** When the call was made, and is not done. */
  during?(call: Call, operations: readonly Operation[]): unknown;
  after?(call: Call, operations: readonly Operation[]): unknown;
}

export function hooked(hooks: Hooks): OpenDatabase {
  return async (folder) => {
    const database = await openLevel(folder);
    const through = async (call: Call, operations: readonly Operation[], options: { readonly sync?: boolean }, work: () => Promise<void>): Promise<void> => {
      await hooks.before?.(call, operations, options);
      const done = work();
      await hooks.during?.(call, operations);
      await done;
      await hooks.after?.(call, operations);
    };
    return new Proxy(database, {
      get(target, name): unknown {
        if (name === 'batch') return (operations: Operation[], options: { sync: boolean }) => through('batch', operations, options, () => target.batch(operations, options));
        if (name === 'compactRange') return (...range: Parameters<Database['compactRange']>) => through('compactRange', [], {}, () => target.compactRange(...range));
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(target) : value;
      },
    });
  };
}

/** As LevelDB says it. */
export function levelError(code: 'LEVEL_IO_ERROR' | 'LEVEL_CORRUPTION', message: string): Error {
  return Object.assign(new Error(message), { code });
}
