import { describe, expect, test } from "vitest";
import { heard, samplingOf } from "./restoration-options.ts";

describe("samplingOf()", () => {
  test("one sample of seed 0, of a picture without noise, unless it is told otherwise", () => {
    expect(samplingOf({})).toEqual({ sigma: 0, seed: 0, samples: 1 });
    const given = { sigma: 0.1, seed: 7, samples: 4 };
    expect(samplingOf(given)).toEqual(given);
  });

  test("what cannot be is refused by name", () => {
    for (const [options, code] of [
      [{ samples: 0 }, "restoration/samples"],
      [{ samples: 1.5 }, "restoration/samples"],
      [{ samples: Number.NaN }, "restoration/samples"],
      [{ samples: Infinity }, "restoration/samples"],
      [{ sigma: -0.1 }, "restoration/sigma"],
      [{ sigma: 25 }, "restoration/sigma"],
      [{ sigma: Number.NaN }, "restoration/sigma"],
      [{ seed: -1 }, "restoration/seed"],
      [{ seed: 0.5 }, "restoration/seed"],
      [{ seed: 2 ** 53 }, "restoration/seed"],
    ] as const)
      expect(() => samplingOf(options), JSON.stringify(options)).toThrow(expect.objectContaining({ code }));
  });
});

describe("heard()", () => {
  test("tells the share, and throws the reason of a signal that was aborted meanwhile, by a timer too", async () => {
    const shares: number[] = [];
    const stop = new AbortController();
    const tell = heard({ onShare: (share) => void shares.push(share), signal: stop.signal });
    await tell?.(0.25);
    setImmediate(() => stop.abort(new Error("enough")));
    await expect(Promise.resolve(tell?.(0.5))).rejects.toThrow("enough");
    expect(shares).toEqual([0.25, 0.5]);
    expect(() => heard({ signal: stop.signal })).toThrow("enough");
  });

  test("is the function itself where nothing can stop it", () => {
    const onShare = (): void => {};
    expect(heard({ onShare })).toBe(onShare);
    expect(heard({})).toBeUndefined();
  });
});
