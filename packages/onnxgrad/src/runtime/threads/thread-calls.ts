/** @module Questions to a worker thread and their answers, by number, until it ends. */
import type { Worker } from "node:worker_threads";
import { UserError } from "../../errors.ts";
import { startThread } from "./start-thread.ts";

/** What a thread answers, at least. */
export interface ThreadAnswer {
  readonly id: number;
  /** What was thrown instead of an answer, and its code where it was a UserError. */
  readonly error?: unknown;
  readonly code?: string;
}

/** A request without its number. */
export type Unnumbered<R extends { readonly id: number }> = R extends R ? Omit<R, "id"> : never;

/** A worker thread that answers every request. It keeps the process alive only while it is asked something. */
export class ThreadCalls<R extends { readonly id: number }, A extends ThreadAnswer> {
  /** Settles when the thread has ended; {@link ThreadCalls.failure} says so then. */
  readonly ended: Promise<void>;
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve(answer: A): void; reject(error: UserError): void }>();
  readonly #describe: (reason: string) => string;
  #nextId = 0;
  #failure: UserError | undefined;

  /** Starts the file at `url`, which has no extension, with `data`; `describe` words the error of who asks a thread that has ended, and why. */
  constructor(url: URL, data: unknown, describe: (reason: string) => string) {
    this.#describe = describe;
    this.#worker = startThread(url, data);
    this.#worker.on("message", (answer: A) => {
      const { resolve } = this.#waiting.get(answer.id)!;
      this.#waiting.delete(answer.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      resolve(answer);
    });
    this.#worker.on("error", (cause) => this.#fail(cause.message, cause));
    this.ended = new Promise((resolve) => {
      this.#worker.once("exit", (code) => {
        this.#fail(`exit code ${code}`);
        resolve();
      });
    });
    // Whoever listens to a thread waits for it, in Node's eyes: a thread that is asked nothing keeps no process alive.
    this.#worker.unref();
  }

  /** UserError `worker/exit` once the thread has ended. */
  get failure(): UserError | undefined {
    return this.#failure;
  }

  /** @throws what the thread threw, or `worker/exit` when it ends before it has answered. */
  async ask(request: Unnumbered<R>, moved: readonly ArrayBuffer[] = []): Promise<A> {
    if (this.#failure !== undefined) throw this.#failure;
    const id = this.#nextId++;
    const found = await new Promise<A>((resolve, reject) => {
      this.#worker.postMessage({ id, ...request }, moved);
      this.#worker.ref();
      this.#waiting.set(id, { resolve, reject });
    });
    if (found.code !== undefined)
      throw new UserError(found.code, (found.error as Error).message, { cause: found.error });
    if (found.error !== undefined) throw found.error as Error;
    return found;
  }

  /** Ends the thread. */
  async end(): Promise<void> {
    await this.#worker.terminate();
    await this.ended;
  }

  #fail(reason: string, cause?: unknown): void {
    this.#failure ??= new UserError("worker/exit", this.#describe(reason), { cause });
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
