/** Time limits: what hangs is to fail, with a sentence, long before a whole run of tests is ended for it. */

/** Some five times what the longest takes on two cores that other tests use as well: a job with the start of its Spark, or all cases of a file in one session. */
const MOST_SECONDS = 180;

/** `work`; when it fails, or takes longer, an error that says so, and `more`. `stop` ends it then. */
export async function within<T>(work: Promise<T>, more: () => string, stop: () => void = () => undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      stop();
      reject(new Error(`it took more than ${MOST_SECONDS} s`));
    }, MOST_SECONDS * 1000);
  });
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    throw new Error(`${(cause as Error).message}: ${more()}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
