/** @module The conformance table in Chromium, on the providers `web-wasm` (two threads) and `web-webgpu`. */
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Browser, launchChromium, missingChromium, type Page } from "../browser/chromium.ts";
import { serve, type Site } from "../browser/site.ts";
import { CHECKS, type Outcome } from "./checks.ts";
import type { DemoImages } from "./demo-sampler.ts";
import { disagreements } from "./gaps.ts";
import { drawnOnCpu, expectSameImages, expectSameSteps, trainedOnCpu } from "./preset-reference.ts";
import type { StepReport } from "./wmgm-step.ts";

// Shaders are compiled and run by the processor here, which other tests want too.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 240_000 });

describe.skipIf(missingChromium !== undefined)(
  `Chromium${missingChromium === undefined ? "" : `: ${missingChromium}`}`,
  () => {
    let browser: Browser;
    let site: Site;
    beforeAll(async () => {
      [browser, site] = await Promise.all([launchChromium(), serve("../conformance/page/")]);
    });
    afterAll(async () => {
      await browser.close();
      await site.close();
    });

    describe.each([
      { provider: "wasm", threads: 2 },
      { provider: "webgpu", threads: 1 },
    ] as const)("web-$provider", ({ provider, threads }) => {
      let page: Page;
      beforeAll(async () => {
        page = await browser.open(site.url);
        const name = await page.evaluate(`conformance.use("${provider}", ${threads})`);
        expect(name).toBe(`web-${provider}`);
      });
      afterAll(() => page.close());

      test.each(CHECKS.map(({ id }, number) => [id, number] as const))("%s", async (_, number) => {
        const outcome = await page.evaluate<Outcome>(`conformance.check(${number})`);
        expect(disagreements(`web-${provider}`, outcome)).toEqual([]);
      });

      test.runIf(provider === "webgpu")("all this with the fewest buffers that a GPU may have", async () => {
        expect(await page.evaluate("conformance.storageBuffers()")).toEqual([8]);
      });

      test("the demo's sampler, compiled and exported, draws the images of Node's CPU", async () => {
        expectSameImages(await page.evaluate<DemoImages>("conformance.draw()"), await drawnOnCpu());
      });

      test("the default preset trains as on Node's CPU", async () => {
        expectSameSteps(await page.evaluate<StepReport>("conformance.step()"), await trainedOnCpu());
      });
    });
  },
);
