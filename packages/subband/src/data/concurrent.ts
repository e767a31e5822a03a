/** @module Bounded concurrency: keeps a few asynchronous jobs in flight and the results in order. */

/** What a long task has done so far. */
export interface Progress {
  /** What is going on. */
  readonly stage: "download" | "decode" | "draw";
  readonly unit: "bytes" | "images";
  readonly done: number;
  /** Undefined when not known beforehand, as in a tar. */
  readonly total: number | undefined;
}

/** Told of progress now and then; must not throw. */
export type OnProgress = (progress: Progress) => void;

/**
 * `Promise.all(items.map(work))` with at most `limit` jobs in flight, over a source that may itself be asynchronous.
 * Results are in the order of the source. The first failure stops the source and is thrown.
 */
export async function mapConcurrent<T, R>(
  items: AsyncIterable<T> | Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const iterator = iterate(items);
  const results: R[] = [];
  let taken = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed) {
      const index = taken++; // a generator answers next() calls in the order they were made
      const step = await iterator.next();
      if (step.done === true) return;
      results[index] = await work(step.value, index);
    }
  };
  const guarded = async (): Promise<void> => {
    try {
      await worker();
    } catch (error) {
      failed = true;
      throw error;
    }
  };
  try {
    const settled = await Promise.allSettled(Array.from({ length: limit }, guarded));
    for (const outcome of settled) if (outcome.status === "rejected") throw outcome.reason;
    return results;
  } finally {
    await iterator.return?.(undefined);
  }
}

async function* iterate<T>(items: AsyncIterable<T> | Iterable<T>): AsyncGenerator<T> {
  yield* items;
}
