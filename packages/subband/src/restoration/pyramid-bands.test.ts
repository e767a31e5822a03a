import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { analyseMeans } from "../wavelet/mean-bands.ts";
import { planes } from "../wavelet/planes.ts";
import { arraySource } from "./image-source.ts";
import { bandLevel, copyRows, windowOf } from "./pyramid-bands.ts";

/** Two images of three channels: a strip and a bit, several strips, and rows shorter and longer than the filters. */
const SIZES = [
  [4, 6],
  [150, 14],
  [280, 40],
] as const;

describe.each(["haar", "db2", "coif2", "db10"])("bandLevel() by %s", (wavelet) => {
  test.each(SIZES)("of %i rows and %i columns has the bands of the whole, and joins them", (h, w) => {
    const shape = [2, 3, h, w] as const;
    const x = rng(4, "bands").fillNormal(new Float32Array(6 * h * w));
    const level = bandLevel(arraySource(x, shape), { wavelet });
    const whole = analyseMeans(planes(Float64Array.from(x), shape), wavelet);
    const [low, details] = [windowOf(level.low, 0, h / 2), windowOf(level.details, 0, h / 2)];
    expectClose(low, whole.low.data, { atol: 1e-5, what: "low" });
    expectClose(details, whole.details.data, { atol: 1e-5, what: "details" });

    const back = new Float32Array(x.length);
    const tops: number[] = [];
    const sink = level.join(level.low, (y, rows, values) => {
      tops.push(y);
      copyRows(values, y, rows, back, 6, h, w);
    });
    for (let y = 0; y < h / 2; y += 33) {
      const rows = Math.min(33, h / 2 - y);
      sink(y, rows, windowOf(level.details, y, rows));
    }
    expectClose(back, x, { atol: 2e-5, what: "joined" });
    expect(tops, "from top to bottom").toEqual(tops.toSorted((a, b) => a - b));
  });
});
