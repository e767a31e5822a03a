/**
 * @module Taking turns, and ending once: what everything has that runs something. Calls that are made while another runs
 * wait for it, in their order, and one that fails does not concern the next.
 */
import { UserError } from "./errors.ts";

/** A queue of tasks, of which one runs at a time. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #pending = 0;

  /** Whether a task runs or waits. */
  get busy(): boolean {
    return this.#pending > 0;
  }

  /** Runs `task` once all tasks before it have ended, well or not. A task must not wait for a later one. */
  take<T>(task: () => T | Promise<T>): Promise<T> {
    this.#pending++;
    const mine = this.#last.then(task).finally(() => {
      this.#pending--;
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}

/** What a {@link Lifetime} is of. */
export interface LifetimeOptions {
  /** In an error: what has been disposed of, e.g. `program`. */
  readonly what: string;
  /** In an error: how one gets another, e.g. `Compile it again`. */
  readonly again: string;
  /** Frees it; called once, when nothing runs. */
  free(): void | Promise<void>;
  /** The queue, where others wait in it, too. */
  readonly turns?: Turns;
}

/** How the lives of sessions are told of. */
export const SESSION = { what: "session", again: "Create it again" } as const;

/** The life of an object that runs things: one at a time, until it is disposed of. */
export class Lifetime {
  readonly #options: LifetimeOptions;
  readonly #turns: Turns;
  #end: Promise<void> | undefined;

  constructor(options: LifetimeOptions) {
    this.#options = options;
    this.#turns = options.turns ?? new Turns();
  }

  /**
   * Runs `task` when its turn comes.
   * @throws UserError `run/disposed` when {@link Lifetime.dispose} was called before.
   */
  run<T>(task: () => T | Promise<T>): Promise<T> {
    const { what, again } = this.#options;
    if (this.#end === undefined) return this.#turns.take(task);
    return Promise.reject(
      new UserError("run/disposed", `this ${what} has been disposed of and cannot run. ${again}.`),
    );
  }

  /** Frees the object once everything has run that was asked of it before. Any further call gives the same promise. */
  dispose(): Promise<void> {
    return (this.#end ??= this.#turns.take(() => this.#options.free()));
  }
}
