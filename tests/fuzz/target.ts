/** @module What is fuzzed: good inputs, ways to damage them, and the reading that must withstand it. */
import type { Rng } from "onnxgrad";

/** A file to begin with. */
export interface Seed {
  /** Its extension tells the reader what it is. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** Another version of `bytes`; `others` are those of all seeds. The result may share memory with none of them. */
export type Mutation = (bytes: Buffer, random: Rng, others: readonly Buffer[]) => Buffer;

/** One kind of input. A file of this folder exports one as `target`. */
export interface Target {
  readonly name: string;
  /** What is damaged, and by whom it is read. */
  readonly about: string;
  seeds(): Promise<readonly Seed[]>;
  /** Ways to damage it that know its structure, beside those that know bytes alone. */
  readonly mutations: readonly Mutation[];
  /** True where bytes mean nothing and only {@link mutations} make sense. */
  readonly structured?: boolean;
  /** Writes what {@link read} needs into the folder that becomes the working folder of the process that reads. */
  setUp?(folder: string): Promise<void>;
  /**
   * Reads the file as a user's command would, and says in a word what came of it. A `UserError` of one line is a refusal;
   * anything else that is thrown is a fault.
   */
  read(path: string): Promise<string>;
  /** Longer than this, and it hangs. */
  readonly seconds: number;
  /** More than this in the process that reads is a fault. */
  readonly megabytes: number;
}
