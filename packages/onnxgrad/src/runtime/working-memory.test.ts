import { expect, test } from "vitest";
import { exp } from "../ops/elementary.ts";
import { matmul } from "../ops/matmul.ts";
import { mean } from "../ops/reduce.ts";
import { add } from "../ops/arithmetic.ts";
import { gradients } from "../grad/gradients.ts";
import { workingMemory } from "./working-memory.ts";

test("workingMemory() is that of the results that live at the same time: counted by hand", () => {
  // Of 64 x 64 floats: exp(x), and its product with x; nodes are those and the input.
  const { bytes, nodes } = workingMemory({ inputs: { x: [64, 64] } }, ({ x }) => ({
    y: matmul(exp(x), x),
  }));
  expect(bytes).toBe(2 * 4 * 64 * 64);
  expect(nodes).toBe(3);
});

test("workingMemory() knows what is computed again instead of being kept", () => {
  const [rows, layers] = [1 << 16, 8];
  // Each exponential is 4 rows bytes; kept for the backward pass, all of them would be there at once.
  const needed = workingMemory({ inputs: { x: [rows] } }, ({ x }) => {
    let total = mean(x);
    for (let k = 1; k <= layers; k++) total = add(total, mean(exp(exp(add(x, k)))));
    return { slope: gradients(total, [x])[0]! };
  });
  expect(needed.bytes).toBeLessThan(layers * 4 * rows);
});
