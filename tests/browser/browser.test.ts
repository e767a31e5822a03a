/** @module onnxgrad in a real browser: pages built by Vite, run by Debian's Chromium on WebAssembly threads and WebGPU. */
import { writeFile } from "node:fs/promises";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { createPainter } from "../../examples/web-training/network.ts";
import { tinyTraining } from "./page/tiny-training.ts";
import { type Browser, launchChromium, missingChromium, type Page } from "./chromium.ts";
import type { Suite, TrainingReport } from "./page/suite.ts";
import { serve, type Site } from "./site.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

const STEPS = 12;
const SIZE = 64;

let browser: Browser;
let pages: Site;
let example: Site;

test.skipIf(process.env["CI"] !== "true")("Chromium is there in continuous integration", () => {
  expect(missingChromium).toBeUndefined();
});

describe.skipIf(missingChromium !== undefined)(
  `Chromium${missingChromium ? `: ${missingChromium}` : ""}`,
  () => {
    beforeAll(async () => {
      browser = await launchChromium();
      pages = await serve("./page/");
      example = await serve("../../examples/web-training/");
    });
    afterAll(async () => {
      await browser.close();
      await Promise.all([pages.close(), example.close()]);
    });

    describe.each([
      { provider: "wasm", threads: 2 },
      { provider: "webgpu", threads: 1 },
    ] as const)('web({ provider: "$provider", threads: $threads })', ({ provider, threads }) => {
      let page: Page;
      let report: TrainingReport;
      const call = <K extends keyof Suite>(name: K, ...args: Parameters<Suite[K]>) =>
        page.evaluate<Awaited<ReturnType<Suite[K]>>>(`suite.${name}(...${JSON.stringify(args)})`);
      beforeAll(async () => {
        page = await browser.open(pages.url);
        expect(await call("use", provider, threads)).toBe(`web-${provider}`);
        report = await call("train", STEPS, SIZE);
      });
      afterAll(() => page.close());

      test("trains as Node's CPU does, step by step", async () => {
        const here = await createPainter(node({ threads: 1 }), { size: SIZE, side: 8 });
        const losses: number[] = [];
        for (let k = 0; k < STEPS; k++) losses.push(await here.train());
        const first = [...here.state.entries.values()].flatMap(({ current }) => [...current]);
        losses.push(await here.train());
        const second = [...here.state.entries.values()].flatMap(({ current }) => [...current]);
        await here.dispose();
        // Sines on SwiftShader have an error of 2e-4, within what WGSL allows; they reach the loss averaged.
        expectClose(report.losses, losses, { rtol: 1e-3, atol: 1e-6, what: "losses" });
        expectClose(report.states[0], first, { rtol: 1e-2, atol: 1e-3, what: "the state" });
        expectClose(report.states[1], second, { rtol: 1e-2, atol: 1e-3, what: "the state, one step later" });
        expect(report.losses.at(-1)!).toBeLessThan(0.5 * report.losses[0]!);
      });

      test.runIf(provider === "wasm")(
        "trains a system of subband through its loop as Node does, and resumes to the same bits",
        async () => {
          const straight = await call("loop");
          expectClose(straight.losses, (await tinyTraining(node({ threads: 1 }))).losses, {
            rtol: 1e-3,
            atol: 1e-5,
            what: "losses",
          });
          const resumed = await call("loop", 3);
          expect(resumed.losses).toEqual(straight.losses);
          expect(resumed.saved).toEqual(straight.saved);
        },
      );

      test.runIf(provider === "wasm")("starts one thread beside the page's own", () => {
        expect(report.workers).toBe(threads - 1);
      });

      test.runIf(provider === "webgpu")(
        "copies the batch in and the loss out, and of the state nothing",
        () => {
          const state = 4 * report.states[0].length;
          // What kernels are told about shapes goes in too, some hundred bytes each.
          const batch = 4 * SIZE * (2 + 3) + 20_000;
          expect(report.toDevice[0], "the first step takes the state along").toBeGreaterThan(state);
          for (let k = 1; k < STEPS; k++) {
            expect(report.toDevice[k], `to the GPU in step ${k}`).toBeLessThan(batch);
            // A buffer is at least sixteen bytes, four of which are the loss.
            expect(report.toHost[k], `to the host in step ${k}`).toBeLessThanOrEqual(16);
          }
          expect(batch).toBeLessThan(state / 2);
        },
      );

      test("reads outputs back on every k-th run only, and the state when its program is gone", async () => {
        const { toHost, means, count } = await call("count", 8, 3);
        expect(means).toEqual([1, 1, 1, 4, 4, 4, 7, 7]);
        expect(count).toBe(8);
        expect(toHost.map((bytes) => bytes > 0)).toEqual(
          means.map((_, k) => provider === "webgpu" && k % 3 === 0),
        );
      });

      test("gives overlapping runs each its own answer, and an end comes once", async () => {
        expect(await call("overlap")).toEqual({ sums: [1, 11, 111, 111], late: "run/disposed" });
      });

      test("takes nothing from elsewhere, and has nothing to complain of", async () => {
        expect(await page.evaluate("crossOriginIsolated")).toBe(true);
        const fetched = await page.evaluate<string[]>(
          'performance.getEntriesByType("resource").map(({ name }) => name)',
        );
        expect(fetched.filter((url) => url.endsWith(".wasm"))).toHaveLength(1);
        expect(fetched.filter((url) => !url.startsWith(pages.url) && !url.startsWith("blob:"))).toEqual([]);
        expect(page.log).toEqual([]);
      });

      test("the page of the example trains on it when its button is pressed", async () => {
        const shown = await browser.open(`${example.url}?provider=${provider}&threads=${threads}`, {
          width: 800,
          height: 1000,
        });
        await shown.evaluate('document.getElementById("train").click()');
        const loss = await shown.evaluate<number>(
          `new Promise((resolve, reject) => {
           const look = () => {
             const [value, error] = ["value", "error"].map((id) => document.getElementById(id).textContent);
             if (error !== "") reject(new Error(error));
             else if (value !== "" && Number(value) < ${provider === "wasm" ? 0.003 : 0.1}) resolve(Number(value));
             else setTimeout(look, 50);
           };
           look();
         })`,
        );
        expect(loss).toBeGreaterThan(0);
        expect(shown.log).toEqual([]);
        // To look at it: SCREENSHOT=folder npx vitest run tests/browser
        const folder = process.env["SCREENSHOT"];
        if (folder !== undefined)
          await writeFile(`${folder}/web-training-${provider}.png`, await shown.screenshot());
        await shown.close();
      });
    });
  },
);
