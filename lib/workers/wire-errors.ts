/** Errors on their way from one thread to another: structured clone would drop their class, code and hint. */
import { errorCodes, EtlError, type ErrorCode } from '../core/errors.ts';

/** An error as plain data. */
export interface WireError {
  readonly message: string;
  readonly name: string;
  readonly stack: string | undefined;
  /** Of an EtlError, or of a system error. */
  readonly code: string | undefined;
  readonly hint: string | undefined;
  readonly cause: WireError | undefined;
  readonly suppressed: readonly WireError[];
}

/** Deep enough for any chain of causes of ours; a chain may be a ring. */
const MOST_CAUSES = 8;

/** Whatever was thrown, as plain data. */
export function toWire(thrown: unknown, causes = MOST_CAUSES): WireError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { message, name, stack, cause } = error;
  const { code } = error as NodeJS.ErrnoException;
  return {
    message, name, stack, code,
    hint: error instanceof EtlError ? error.hint : undefined,
    cause: cause === undefined || causes === 0 ? undefined : toWire(cause, causes - 1),
    suppressed: error instanceof EtlError && causes > 0 ? error.suppressed.map((extra) => toWire(extra, causes - 1)) : [],
  };
}

/** The error again; its stack is that of the other thread. */
export function fromWire(wire: WireError): Error {
  const { message, name, stack, code, hint } = wire;
  const cause = wire.cause && fromWire(wire.cause);
  let error: Error;
  if (code !== undefined && Object.hasOwn(errorCodes, code)) {
    const known = new EtlError(code as ErrorCode, message, { ...(cause && { cause }), ...(hint !== undefined && { hint }) });
    known.suppressed.push(...wire.suppressed.map(fromWire));
    error = known;
  } else {
    error = Object.assign(new Error(message, cause && { cause }), { name }, code !== undefined && { code });
  }
  if (stack !== undefined) error.stack = stack;
  return error;
}
