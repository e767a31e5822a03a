import { configDefaults, defineConfig } from "vitest/config";

const ALL = ["packages/*/src/**/*.test.ts", "tests/**/*.test.ts"];

/**
 * Rooms whose tests compute and leave the process as it was: their files share processes, which import the sources once.
 * Not among them are three that put something in the place of what other files use too, or count threads.
 */
const SHARED = [
  "packages/onnxgrad/src/{grad,interpret,onnx,ops,optim,parallel,passes,random,testing,trace}/**/*.test.ts",
  "packages/subband/src/{diffusion,evaluation,images,interop,linear-algebra,nn,restoration,spectrum,studies,wavelet}/**/*.test.ts",
  "packages/subband/src/systems/**/!(gaussian-data|hot-loops|concurrent-drawings).test.ts",
];

/** Tests run on the TypeScript sources through the `@subband/source` export condition: no build needed. */
export default defineConfig({
  resolve: { conditions: ["@subband/source"] },
  ssr: { resolve: { conditions: ["@subband/source"], externalConditions: ["@subband/source"] } },
  test: {
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: { name: "alone", include: ALL, exclude: [...configDefaults.exclude, ...SHARED] },
      },
      { extends: true, test: { name: "shared", include: SHARED, isolate: false } },
    ],
  },
});
