import { describe, expect, test } from "vitest";
import { Pace } from "../training/pace-schema.ts";
import { endsAt, evenPace, paceUntil, plannedImages, progressAt, progressBefore } from "./pace.ts";

describe("progress along a pace", () => {
  test("is images / total where it is even, to the last bit", () => {
    for (const total of [7, 1000, 118_976])
      for (let n = 0; n <= total + 8; n += 8)
        expect(progressAt(evenPace(total), n)).toBe(Math.min(1, n / total));
  });

  test("is none as long as there is no plan, and begins with the first knot", () => {
    expect([progressAt([], 0), progressAt([], 1e6)]).toEqual([0, 0]);
    const pace: Pace = [[16, 48]];
    expect([0, 16, 32, 48, 64].map((n) => progressAt(pace, n))).toEqual([0, 0, 0.5, 1, 1]);
    expect(plannedImages([])).toBeUndefined();
    expect(plannedImages(pace)).toBe(48);
  });

  test("goes on without a jump where a knot changes the total", () => {
    // Half of the way in 100 of 200 images; the other half in 300 more, then faster: the last quarter in 10.
    const pace: Pace = [
      [0, 200],
      [100, 400],
      [250, 260],
    ];
    expect([0, 50, 100, 250, 255, 260].map((n) => progressAt(pace, n))).toEqual([
      0, 0.25, 0.5, 0.75, 0.875, 1,
    ]);
    for (const n of [0, 50, 100, 250, 255]) expect(progressBefore(pace, n)).toBe(progressAt(pace, n));
  });

  test("what comes later changes nothing before it", () => {
    const pace: Pace = [
      [0, 200],
      [100, 400],
      [250, 260],
    ];
    for (let n = 0; n <= 260; n++)
      expect(progressAt(paceUntil(pace, n), n), String(n)).toBe(progressAt(pace, n));
    expect(paceUntil(pace, 100)).toEqual(pace.slice(0, 2));
    expect(paceUntil(pace, 99)).toEqual(pace.slice(0, 1));
  });

  test("a stage that is told to end does, and can be extended from a lower progress", () => {
    const ended: Pace = [
      [0, 200],
      [120, 120],
    ];
    expect(progressBefore(ended, 120)).toBe(0.6);
    expect(progressAt(ended, 120)).toBe(1);
    expect(endsAt(ended, 120)).toBe(true);
    const extended: Pace = [...ended, [120, 480, 0.25]];
    expect(progressAt(extended, 120)).toBe(0.25);
    expect(progressAt(extended, 240)).toBe(0.5);
    expect([112, 120, 128, 480].map((n) => endsAt(extended, n))).toEqual([false, true, false, true]);
  });
});

describe("the schema of a pace", () => {
  test.each([
    [[[0, 8]], true],
    [[], true],
    [
      [
        [0, 8],
        [8, 8],
        [8, 24, 0.25],
      ],
      true,
    ],
    [
      [
        [8, 16],
        [0, 32],
      ],
      false,
    ],
    [[[0.5, 8]], false],
    [[[0, 8, 2]], false],
    [[[0]], false],
    [[[-8, 8]], false],
  ] as const)("%j: %s", (value, good) => {
    expect(Pace.safeParse(value).success).toBe(good);
  });
});
