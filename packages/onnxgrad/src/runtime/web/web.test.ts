import { afterEach, describe, expect, test, vi } from "vitest";
import { UserError } from "../../errors.ts";
import { valueAndGrad } from "../../grad/gradients.ts";
import { mean } from "../../ops/reduce.ts";
import { conv2d } from "../../ops/conv.ts";
import { silu } from "../../ops/elementary.ts";
import { square, sub } from "../../ops/arithmetic.ts";
import { gather } from "../../ops/gather.ts";
import { adam, adamInit } from "../../optim/adam.ts";
import { rng } from "../../random/threefry.ts";
import { expectClose } from "../../testing/expect-close.ts";
import { ndarray } from "../../trace/ndarray.ts";
import { pack } from "../../trace/packed.ts";
import type { Backend } from "../backend.ts";
import { compile } from "../compile.ts";
import { node } from "../node/node.ts";
import { web } from "./web.ts";

/** Losses and parameters of ten training steps. */
async function train(backend: Backend): Promise<{ losses: number[]; params: number[] }> {
  const random = rng(1, "web");
  const normal = (shape: number[], n: number) =>
    ndarray(
      shape,
      random.fillNormal(new Float32Array(n)).map((v) => 0.3 * v),
    );
  const params = pack({
    first: normal([8, 2, 3, 3], 144),
    last: normal([1, 8, 3, 3], 72),
    table: normal([3, 36], 108),
  });
  const step = await compile(
    backend,
    {
      state: { params, adam: adamInit(params) },
      inputs: { x: [4, 2, 6, 6], label: { shape: [4], dtype: "int64" } },
    },
    ({ state, x, label }) => {
      const { value, grads } = valueAndGrad((p: typeof state.params) => {
        const y = conv2d(silu(conv2d(x, p.first, { padding: 1 })), p.last, { padding: 1 });
        const target = gather(p.table, label);
        return mean(square(sub(mean(y, [1, 2, 3]), mean(target, [1]))));
      })(state.params);
      const next = adam(state.params, grads, state.adam, { lr: 0.01 });
      return { state: { params: next.params, adam: next.state }, loss: value };
    },
  );
  const losses: number[] = [];
  for (let k = 0; k < 10; k++) {
    const x = rng(2, "x", k).fillNormal(new Float32Array(288));
    losses.push((await step.run({ x, label: [0, 1, 2, k % 3] })).loss[0]!);
  }
  const result = { losses, params: [...step.state.tree().params.data] };
  await step.dispose();
  return result;
}

describe("web()", () => {
  test("trains on WebAssembly as node() does", async () => {
    const [here, there] = [await train(web({ threads: 1 })), await train(node({ threads: 1 }))];
    expect(web().name).toBe("web-wasm");
    expectClose(here.losses, there.losses, { rtol: 1e-4, atol: 1e-6, what: "losses" });
    expectClose(here.params, there.params, { rtol: 1e-3, atol: 1e-4, what: "parameters" });
    expect(here.losses.at(-1)!).toBeLessThan(here.losses[0]!);
  });

  describe("in a browser that lacks something", () => {
    afterEach(() => vi.unstubAllGlobals());
    const scaled = (backend: Backend) =>
      compile(backend, { inputs: { x: [2] } }, ({ x }) => ({ y: square(x) }));

    test("refuses threads on a page that is not cross-origin isolated, and takes one", async () => {
      vi.stubGlobal("crossOriginIsolated", false);
      await expect(scaled(web({ threads: 4 }))).rejects.toThrow(UserError);
      await expect(scaled(web({ threads: 4 }))).rejects.toThrow(
        "web: 4 threads need a cross-origin isolated page.",
      );
      const program = await scaled(web({ threads: 1 }));
      expect([...(await program.run({ x: [2, 3] })).y]).toEqual([4, 9]);
      await program.dispose();
    });

    test.each([
      ["no WebGPU", {}],
      ["no GPU", { gpu: { requestAdapter: () => Promise.resolve(null) } }],
    ])("says that there is %s", async (_, navigator) => {
      vi.stubGlobal("navigator", navigator);
      await expect(scaled(web({ provider: "webgpu" }))).rejects.toThrow(UserError);
      await expect(scaled(web({ provider: "webgpu" }))).rejects.toThrow(
        'web({ provider: "webgpu" }): no GPU found.',
      );
    });
  });
});
