import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import { runLocalStudy, type StudyRow } from "./local-study.ts";
import { commonChannels, type Method, modelMethod, openNamedModel } from "./method.ts";
import { narrowModel, smallPicture } from "./narrow-model.testing.ts";
import { toCsv } from "./study-tables.ts";

const backend = node({ threads: 1 });

/** A method that answers with `answer` and keeps what it was given. */
function recording(name: string, answer: (noisy: Float32Array, clean: Float32Array) => Float32Array) {
  const seen: Float32Array[] = [];
  const shapes: string[] = [];
  let disposed = 0;
  const method: Method = {
    name,
    isPeer: false,
    parameters: 1,
    macsPerPixel: 2,
    ready({ height, width }) {
      shapes.push(`${height} x ${width}`);
      return Promise.resolve({
        denoise(noisy, { data }) {
          seen.push(noisy.slice());
          return Promise.resolve({ image: answer(noisy, data), ms: 3 });
        },
        dispose() {
          disposed++;
          return Promise.resolve();
        },
      });
    },
  };
  return { method, seen, shapes, disposed: () => disposed };
}

describe("runLocalStudy()", () => {
  const pictures = [smallPicture("a"), smallPicture("b"), smallPicture("c", 32, 16)];
  const sigmas = [25, 100];

  test("gives every method the same noise, and readies it once a shape", async () => {
    const one = recording("one", (noisy) => noisy);
    const two = recording("two", (_, clean) => clean);
    const rows = await runLocalStudy({ methods: [one.method, two.method], pictures, sigmas, seed: 7 });
    expect(one.seen).toHaveLength(6);
    expect(two.seen).toEqual(one.seen);
    expect(one.shapes).toEqual(["16 x 32", "32 x 16"]);
    expect([one.disposed(), two.disposed()]).toEqual([2, 2]);
    const order = rows.map(({ method, picture, sigma }) => `${method} ${picture} ${sigma}`);
    expect(order.slice(0, 7)).toEqual([
      "one a 25",
      "one a 100",
      "one b 25",
      "one b 100",
      "one c 25",
      "one c 100",
      "two a 25",
    ]);
  });

  test("measures: doing nothing keeps the PSNR, an offset has one that is known, clipping helps the noise", async () => {
    const nothing = recording("nothing", (noisy) => noisy);
    const offset = recording("offset", (_, clean) => clean.map((v) => v + 0.1));
    const rows = await runLocalStudy({ methods: [nothing.method, offset.method], pictures, sigmas, seed: 7 });
    for (const row of rows) {
      const where = `${row.method} ${row.picture} ${row.sigma}`;
      // 10 log10 of 512 squared normals spreads by 0.27 dB.
      expect(Math.abs(row.psnrIn - 20 * Math.log10(255 / row.sigma)), where).toBeLessThan(1.1);
      if (row.method === "offset") {
        expect(row.psnrOut, where).toBeCloseTo(20, 3);
        expect(row.psnrClipped, where).toBeCloseTo(20, 3); // 0.25..0.85: nothing to clip
      } else {
        expect(row.psnrOut, where).toBe(row.psnrIn);
        expect(row.psnrClipped, where).toBeGreaterThanOrEqual(row.psnrIn);
      }
    }
  });

  test("disposes of a method that fails", async () => {
    const bad = recording("bad", () => {
      throw new Error("no");
    });
    const request = { methods: [bad.method], pictures, sigmas, seed: 0 };
    await expect(runLocalStudy(request)).rejects.toThrow("no");
    expect(bad.disposed()).toBe(1);
  });

  test("runs models of both kinds, with their cost", async () => {
    const methods = [
      modelMethod("flat", narrowModel(0), backend),
      modelMethod("pyramid", narrowModel(2), backend),
    ];
    const rows = await runLocalStudy({ methods, pictures: [smallPicture("a")], sigmas: [25], seed: 0 });
    expect(rows.every(({ psnrOut, ms }) => Number.isFinite(psnrOut) && ms > 0)).toBe(true);
    // 21 convolutions of 2 features, 5 x 5: two of 3 x 3 (ends), the rest 1 x 1.
    const flat = 9 * 2 + 19 * 4 + 9 * 2;
    const cCnn = 9 * 2 * 4 + 19 * 4 + 9 * 2 * 3;
    expect(rows.map((row) => row.macsPerPixel)).toEqual([flat, flat / 16 + cCnn / 4 + cCnn / 16]);
    expect(rows.map((row) => row.parameters)).toEqual([flat + 38, flat + 2 * cCnn + 3 * 38]);
  });
});

describe("toCsv()", () => {
  test("has a line a row, and the columns that the docs name", async () => {
    const one = recording("one", (noisy) => noisy);
    const [row] = (await runLocalStudy({
      methods: [one.method],
      pictures: [smallPicture("a,b.png")],
      sigmas: [25],
      seed: 0,
    })) as [StudyRow];
    const [header, line, end] = toCsv([row]).split("\n");
    expect(header).toBe(
      "method,picture,sigma,psnr_in,psnr_out,psnr_clipped,ssim,mac_per_pixel,parameters,ms",
    );
    const db = row.psnrIn.toFixed(4);
    expect(line).toBe(
      `one,a_b.png,25,${db},${db},${row.psnrClipped.toFixed(4)},${row.ssim.toFixed(5)},2,1,3.0`,
    );
    expect(end).toBe("");
  });
});

describe("models of a study", () => {
  test.each(["x", "=x", "x=", "a,b=x", "a|b=x"])("need a name and a place: %j", async (text) => {
    await expect(openNamedModel(text)).rejects.toThrow(/^model: /);
  });

  test("must be there", async () => {
    await expect(openNamedModel("a=/no/such/model")).rejects.toThrow(/^no such model: "\/no\/such\/model"/);
  });

  test("take the same channels, and have names of their own", () => {
    const gray = { name: "gray", model: narrowModel(0) };
    expect(commonChannels([gray, { name: "other", model: narrowModel(1) }])).toBe(1);
    expect(() => commonChannels([gray, { name: "colour", model: narrowModel(0, 3) }])).toThrow(
      /^"gray" is for gray pictures and "colour" is not/,
    );
    expect(() => commonChannels([gray, gray])).toThrow(/^two methods are called "gray"/);
  });
});
