/**
 * @module Lint rules the compiler cannot give. Stands alone in tools/ with its own lockfile, because
 * typescript-eslint needs the JavaScript compiler API of TypeScript 6 while the packages build with TypeScript 7;
 * as a workspace the two would be hoisted into each other. Run it with `npm run lint` at the root.
 */
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import eslint from "@eslint/js";
import { defineConfig } from "eslint/config";
import tseslint from "typescript-eslint";

const repositoryRoot = dirname(dirname(fileURLToPath(import.meta.url)));

const noMathRandom = {
  object: "Math",
  property: "random",
  message: 'Randomness is an argument: use rng(seed, "purpose", index) from "onnxgrad".',
};

/** Globals of plain JavaScript files run by Node. */
const nodeGlobals = { console: "readonly", process: "readonly", URL: "readonly", performance: "readonly" };

export default defineConfig(
  { ignores: ["**/dist/", "**/node_modules/", "**/coverage/"] },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  {
    files: ["**/*.js", "**/*.mjs"],
    extends: [eslint.configs.recommended],
    languageOptions: { globals: nodeGlobals },
    rules: { "no-restricted-properties": ["error", noMathRandom] },
  },
  {
    files: ["**/*.ts"],
    extends: [eslint.configs.recommended, tseslint.configs.base],
    languageOptions: {
      parserOptions: { project: ["./tsconfig.test.json"], tsconfigRootDir: repositoryRoot },
    },
    rules: {
      // The compiler knows names, and overloads are legal TypeScript.
      "no-undef": "off",
      "no-redeclare": "off",
      "no-unused-vars": "off",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      // A forgotten await trains on stale state without a word.
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/no-misused-promises": "error",
      "@typescript-eslint/await-thenable": "error",
      "@typescript-eslint/switch-exhaustiveness-check": [
        "error",
        { considerDefaultExhaustiveForUnions: true },
      ],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/consistent-type-imports": ["error", { disallowTypeAnnotations: false }],
      "@typescript-eslint/only-throw-error": "error",
      "no-restricted-properties": ["error", noMathRandom],
      // `x[i]!` is how a numeric loop reads an array under noUncheckedIndexedAccess: the assertion is allowed.
      "@typescript-eslint/no-non-null-assertion": "off",
    },
  },
  // Libraries return values and the command line writes to process.stdout / stderr: neither logs.
  { files: ["packages/**/*.ts"], rules: { "no-console": "error" } },
);
