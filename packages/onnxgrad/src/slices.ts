/**
 * @module Long work in slices: between two of them the event loop of the thread turns, so that timers, signals and files
 * that came meanwhile are heard. Nothing that is computed may depend on where the slices end.
 */

/** Milliseconds of a slice: a piece of work that ends late still leaves less than 100 for an event to wait. */
const SLICE_MS = 20;

/**
 * A function to await between the pieces of a long work. It answers at once, and once `ms` milliseconds have passed since
 * the event loop turned last, when the loop has turned again.
 *
 * @example
 * const pause = slices();
 * for (const array of arrays) {
 *   check(array);
 *   await pause();
 * }
 */
export function slices(ms: number = SLICE_MS): () => Promise<void> {
  let began = performance.now();
  return async () => {
    if (performance.now() - began < ms) return;
    await turnOfEventLoop();
    began = performance.now();
  };
}

/** Does a work whose pieces end with `yield`, awaiting `pause` after each. */
export async function inSlices<T>(
  work: Generator<void, T>,
  pause: () => Promise<void> = slices(),
): Promise<T> {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
    await pause();
  }
}

/** Does the same work without a pause, for who cannot wait. */
export function atOnce<T>(work: Generator<void, T>): T {
  for (;;) {
    const { done, value } = work.next();
    if (done === true) return value;
  }
}

/** What `make` gives, as a work of one piece. */
export function* inOnePiece<T>(make: () => T): Generator<void, T> {
  yield;
  return make();
}

/** Returns when the event loop has gone round: whatever waited before has been handled. */
export async function turnOfEventLoop(): Promise<void> {
  await partOfTurn(); // the rest of the round that is going on, which may have passed timers or files already
  await partOfTurn();
}

/** What Node has beside timers: it comes at the end of a round. */
type Immediate = (done: () => void) => unknown;

/**
 * Returns before the event loop begins another round, or within it. A message where there is no `setImmediate`: browsers
 * hold timers back, by milliseconds in a chain of them and by a second in a hidden tab.
 */
function partOfTurn(): Promise<void> {
  const { setImmediate: immediate } = globalThis as { readonly setImmediate?: Immediate };
  return new Promise((resolve) => {
    if (immediate !== undefined) return void immediate(() => resolve());
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener("message", () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(undefined);
  });
}
