import { expect, test } from "vitest";
import { cliPage } from "./cli-reference.ts";

test("docs/cli.md is what the commands say; else run `npm run cli`", async () => {
  await expect(await cliPage()).toMatchFileSnapshot("../../docs/cli.md");
});
