/** @module What commands share has one home: nobody opens a backend, a progress bar or an output folder on the side. */
import { expect, test } from "vitest";
import { packageSources } from "./sources.ts";

/** What is made by whom. */
const HOMES: readonly (readonly [what: RegExp, homes: readonly string[]])[] = [
  [/"onnxgrad\/node(-worker)?"/, ["open-backend.ts"]],
  // A training says more while it goes on than other work.
  [/\bcreateProgress\(/, ["progress.ts", "train.ts"]],
  [/`warning: \$\{/, ["output.ts", "progress.ts"]],
  [/\bwithFolders\(/, ["export.ts", "output-folders.ts", "put-model.ts"]],
  [/"best weights"/, ["info.ts", "open-drawing.ts", "train.ts"]],
];

test.each(HOMES)("%s is written in its home alone", (what, homes) => {
  const found = packageSources()
    .filter(({ packageName, path }) => packageName === "subband" && path.startsWith("cli/"))
    .filter(({ text }) => what.test(text))
    .map(({ path }) => path.slice("cli/".length));
  expect(found.toSorted()).toEqual(homes.toSorted());
});
