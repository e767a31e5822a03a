/** @module A target with faults of every sort, planted: what the fuzzer must find, and what it must not take for one. */
import { readFile } from "node:fs/promises";
import { GraphError, UserError } from "onnxgrad";
import type { Target } from "./target.ts";

const held: Buffer[] = [];

/** What becomes of each of the inputs, in this order. */
export const PLANTED = [
  "good",
  "refused",
  "graph",
  "plain error",
  "internal",
  "two lines",
  "crash",
  "hang",
  "memory",
];

export const target: Target = {
  name: "planted",
  about: "faults that the fuzzer must find",
  mutations: [(bytes) => Buffer.from(bytes)],
  structured: true,
  seconds: 6,
  megabytes: 300,
  async seeds() {
    return PLANTED.map((name) => ({ name: "planted.txt", bytes: Buffer.from(name) }));
  },
  async read(path) {
    switch (await readFile(path, "utf8")) {
      case "refused":
        throw new UserError("planted/refused", "refused: say what else.");
      case "graph":
        throw new GraphError("add: shapes differ.");
      case "plain error":
        throw new TypeError("undefined is not a function");
      case "internal":
        throw new UserError("planted/internal", "internal: should not happen");
      case "two lines":
        throw Object.assign(new UserError("planted/lines", "one"), { message: "one\ntwo" });
      case "crash":
        process.abort();
      // eslint-disable-next-line no-fallthrough
      case "hang":
        for (;;);
      case "memory":
        for (;;) held.push(Buffer.alloc(50e6, 1));
      default:
        return "good";
    }
  },
};
