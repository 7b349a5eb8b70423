import type { Pieces } from '../lib/core/pieces.ts';

/** All pieces of all values of a stream; each is valid until the next. */
export async function* piecesOf<T>(stream: AsyncIterable<Pieces<T>>): AsyncGenerator<T> {
  for await (const pieces of stream) {
    for (let piece = await pieces.next(); piece; piece = await pieces.next()) yield piece;
  }
}
