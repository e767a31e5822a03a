/** @module A bound on the bytes that are in memory at once, whoever holds them. */

/** Hands out bytes up to a limit; whoever asks for more waits, in the order of asking. */
export interface ByteBudget {
  /**
   * Waits until `bytes` are free, and takes them. What is larger than the whole limit waits until nothing else is held.
   * @returns gives them back; calling it again does nothing.
   */
  take(bytes: number): Promise<() => void>;
}

/** A budget of `limit` bytes. */
export function byteBudget(limit: number): ByteBudget {
  let held = 0;
  const waiting: { readonly bytes: number; readonly start: () => void }[] = [];
  const serve = (): void => {
    for (let next = waiting[0]; next !== undefined; next = waiting[0]) {
      if (held > 0 && held + next.bytes > limit) return;
      waiting.shift();
      held += next.bytes;
      next.start();
    }
  };
  return {
    async take(bytes) {
      await new Promise<void>((start) => {
        waiting.push({ bytes, start });
        serve();
      });
      let given = false;
      return () => {
        if (given) return;
        given = true;
        held -= bytes;
        serve();
      };
    },
  };
}
