import { describe, expect, test } from "vitest";
import { add } from "../ops/arithmetic.ts";
import { input } from "../ops/source.ts";
import { inputName, type Port, portName, portNamed } from "./port-names.ts";

/** Names that users and files choose: plain ones, none, and such as look like ports themselves. */
const NAMES = [
  "w",
  "params.down.0.conv.weight",
  "",
  "state",
  "state.w",
  "in.x",
  "shard1.x0",
  "view(0, 2x3, state.w)",
  "two\nlines",
  "view(",
  ")",
  "1, 2",
];

const PORTS: readonly Port[] = NAMES.flatMap((name): Port[] => [
  ...(["state", "next", "in", "out"] as const).map((is) => ({ is, name })),
  ...[0, 7, 12].map((shard) => ({ is: "shard" as const, shard, name })),
  ...[[], [0], [3], [2, 0, 4], [12, 1]].flatMap((shape) =>
    [0, 10, 262144].map((start) => ({ is: "view" as const, of: `state.${name}`, start, shape })),
  ),
]);

describe("portName()", () => {
  test("is what a model's file has", () => {
    expect(portName({ is: "state", name: "adam.m" })).toBe("state.adam.m");
    expect(portName({ is: "next", name: "adam.m" })).toBe("next.adam.m");
    expect(portName({ is: "in", name: "x" })).toBe("in.x");
    expect(portName({ is: "out", name: "loss" })).toBe("out.loss");
    expect(portName({ is: "shard", shard: 3, name: "x0" })).toBe("shard3.x0");
    expect(portName({ is: "view", of: "state.w", start: 6, shape: [2, 3] })).toBe("view(6, 2x3, state.w)");
    expect(portName({ is: "view", of: "next.w", start: 0, shape: [] })).toBe("view(0, , next.w)");
  });

  test("differs wherever ports differ", () => {
    expect(new Set(PORTS.map(portName)).size).toBe(PORTS.length);
  });
});

describe("portNamed()", () => {
  test("reads what portName() writes", () => {
    for (const port of PORTS) expect(portNamed(portName(port)), JSON.stringify(port)).toEqual(port);
  });

  test.each([
    ...["", "w", "states.w", "State.w", "x.state.w", "instate", "shard.x0", "shard-1.x0", "shard01.x0"],
    ...["view(0, 2, state.w", "view(0,2,state.w)", "view(-1, 2, state.w)", "view(00, 2, state.w)"],
    ...["view(0, 2x, state.w)", "view(0, x2, state.w)", "view(0, 02, state.w)", "view(0, 2)"],
  ])("is undefined for %j, which no port is named", (name) => {
    expect(portNamed(name)).toBeUndefined();
  });
});

describe("inputName()", () => {
  test("is an input's alone", () => {
    const x = input("in.x", [2]);
    expect(inputName(x.node)).toBe("in.x");
    expect(inputName(add(x, 1).node)).toBeUndefined();
  });
});
