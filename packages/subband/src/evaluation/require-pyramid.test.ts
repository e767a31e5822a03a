import { describe, expect, test } from "vitest";
import type { System } from "../systems/system.ts";
import { requirePyramid } from "./require-pyramid.ts";

const LOCAL = {} as NonNullable<System["local"]>;

describe("requirePyramid()", () => {
  test("gives what the system has, also where that is of no level: pixels are bands of their own", () => {
    expect(requirePyramid("bands", { pyramid: { levels: 0 } })).toEqual({ levels: 0 });
  });

  test("says of a denoiser what it is, and of no other system that it is one", () => {
    expect(() => requirePyramid("cleaner", { local: LOCAL })).toThrow(
      /^a run of preset cleaner is a denoiser,/,
    );
    const refused = (): unknown => requirePyramid("pixels", {});
    expect(refused).toThrow(/^a run of preset pixels draws images without a pyramid, /);
    expect(refused).not.toThrow(/denois/);
  });
});
