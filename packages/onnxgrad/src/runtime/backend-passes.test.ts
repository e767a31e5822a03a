import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { relu } from "../ops/elementary.ts";
import { reshape } from "../ops/reshape.ts";
import { split } from "../ops/concat.ts";
import { constant, input } from "../ops/source.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { inputName, portNamed } from "../trace/port-names.ts";
import { reachable } from "../trace/tensor.ts";
import { BACKEND_PASSES, fitted, type Outputs, passesFor } from "./backend-passes.ts";

const weights = (n: number) =>
  constant(rng(1, "w", n).fillNormal(new Float32Array(48 * 48 * 9)), [48, 48, 3, 3]);

/** Two convolutions of weights that stay, and a long vector of the state, of which a part scales them. */
function graph(): Outputs {
  const image = input("in.x", [1, 48, 8, 8]);
  const state = input("state.w", [2 ** 19]);
  const [scale] = split(state, [48, 2 ** 19 - 48], 0);
  const y = conv2d(relu(conv2d(image, weights(0), { padding: 1 })), weights(1), { padding: 1 });
  return { "out.y": mul(y, reshape(scale!, [1, 48, 1, 1])), "next.w": add(mul(state, 0.5), 1) };
}

const opsOf = (outputs: Outputs) => new Set(reachable(Object.values(outputs)).map(({ op }) => op.name));
const views = (outputs: Outputs) =>
  [
    ...Object.keys(outputs),
    ...reachable(Object.values(outputs)).flatMap((node) => inputName(node) ?? []),
  ].filter((name) => portNamed(name)?.is === "view");

describe("fitted()", () => {
  const everywhere = { inPlace: false, block: undefined };

  test("leaves interfaces whole and convolutions as they are where a backend asks for nothing", () => {
    const plain = fitted(everywhere, graph());
    expect(views(plain)).toEqual([]);
    expect(opsOf(plain)).not.toContain("conv2dByRows");
  });

  test("gives a backend that works in place views, read and written", () => {
    const inPlace = fitted({ ...everywhere, inPlace: true }, graph());
    expect(views(inPlace)).toContain("view(0, 1x48x1x1, state.w)");
    expect(views(inPlace).filter((name) => name.endsWith("next.w)"))).toHaveLength(2);
    expect(opsOf(inPlace)).not.toContain("conv2dByRows");
  });

  test("gives a backend of blocked kernels convolutions by rows", () => {
    const byRows = fitted({ ...everywhere, block: 8 }, graph());
    expect(opsOf(byRows)).toContain("conv2dByRows");
    expect(views(byRows)).toEqual([]);
    const feeds = {
      "in.x": rng(2, "x").fillNormal(new Float32Array(48 * 64)),
      "state.w": rng(2, "w").fillNormal(new Float32Array(2 ** 19)),
    };
    const [got, want] = [byRows, graph()].map((each) => interpret([each["out.y"]!], feeds)[0]!.data);
    expectClose(got!, want!, { rtol: 1e-9, atol: 1e-9 });
  });

  test("recomputes for every backend, last of all", () => {
    for (const inPlace of [false, true])
      for (const block of [undefined, 8])
        expect(passesFor({ inPlace, block }).at(-1)!.name).toBe("rematerialize");
  });
});

test("docs/architecture.md has the table, row by row and in order", () => {
  const page = readFileSync(new URL("../../../../docs/architecture.md", import.meta.url), "utf8");
  const rows = [...page.matchAll(/^\| `(\w+)` \| `([\w-]+)` \|/gm)].map(([, asked, name]) => [asked, name]);
  expect(rows).toEqual(BACKEND_PASSES.map(({ asked, name }) => [asked, name]));
});
