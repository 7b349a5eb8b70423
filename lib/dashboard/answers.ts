/** Answers of a snapshot, which never change, each made once: who asks while it is made waits for the same. Of many, those asked for last are kept. */
export class Answers<T> {
  readonly #most: number;
  readonly #kept = new Map<string, Promise<T>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The answer of the key, or what `make` gives. One that fails is not kept, nor is one that `isWorthless`. */
  async get(key: string, make: () => Promise<T>, isWorthless: (answer: T) => boolean = () => false): Promise<T> {
    const kept = this.#kept.get(key);
    const answer = kept ?? make();
    this.#kept.delete(key);
    this.#kept.set(key, answer); // the last of all
    if (this.#kept.size > this.#most) this.#kept.delete(this.#kept.keys().next().value!);
    if (kept) return kept;
    const forget = (): void => {
      if (this.#kept.get(key) === answer) this.#kept.delete(key);
    };
    try {
      const made = await answer;
      if (isWorthless(made)) forget();
      return made;
    } catch (error) {
      forget();
      throw error;
    }
  }
}
