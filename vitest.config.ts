import { defineConfig } from "vitest/config";

/** Tests run on the TypeScript sources through the `@subband/source` export condition: no build needed. */
export default defineConfig({
  resolve: { conditions: ["@subband/source"] },
  ssr: { resolve: { conditions: ["@subband/source"], externalConditions: ["@subband/source"] } },
  test: {
    include: ["packages/*/src/**/*.test.ts", "tests/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
