/** What a large buffer outside of the heap needs, which would otherwise stay until V8 happens to collect it. */
import { MessageChannel } from 'node:worker_threads';

/** Closed, so that what is sent to it is dropped at once. It takes a turn of the loop to close: so it is made early. */
const nobody = new MessageChannel().port1;
nobody.close();

/** Frees the memory of a buffer, whose views are empty from then on. (`ArrayBuffer.transfer` is not in Node 20.) */
export function freeNow(buffer: ArrayBuffer): void {
  nobody.postMessage(undefined, [buffer]);
}
