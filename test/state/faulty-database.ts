/** LevelDB, and who may stand before and after each of its writes, and see what is read by many keys at once. */
import { openLevel, type Database, type OpenDatabase, type Operation } from '../../lib/state/database.ts';

export interface Hooks {
  /** May throw instead, or wait. */
  before?(call: 'batch' | 'clear', operations: readonly Operation[], options: { readonly sync?: boolean }): unknown;
  /** When the call was made, and is not done. */
  during?(call: 'batch' | 'clear', operations: readonly Operation[]): unknown;
  after?(call: 'batch' | 'clear', operations: readonly Operation[]): unknown;
  /** Before many keys are asked for at once. */
  many?(keys: readonly Uint8Array[]): void;
}

export function hooked(hooks: Hooks): OpenDatabase {
  return async (folder) => {
    const database = await openLevel(folder);
    const through = async (call: 'batch' | 'clear', operations: readonly Operation[], options: { readonly sync?: boolean }, work: () => Promise<void>): Promise<void> => {
      await hooks.before?.(call, operations, options);
      const done = work();
      await hooks.during?.(call, operations);
      await done;
      await hooks.after?.(call, operations);
    };
    return new Proxy(database, {
      get(target, name): unknown {
        if (name === 'batch') return (operations: Operation[], options: { sync: boolean }) => through('batch', operations, options, () => target.batch(operations, options));
        if (name === 'clear') return (range: Parameters<Database['clear']>[0]) => through('clear', [], {}, () => target.clear(range));
        if (name === 'getMany') {
          return (...args: Parameters<Database['getMany']>) => {
            hooks.many?.(args[0]);
            return target.getMany(...args);
          };
        }
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
