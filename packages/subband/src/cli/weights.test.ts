import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { NamedArray } from "onnxgrad";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { saveCheckpoint } from "../training/checkpoint.ts";
import { type RunConfig, systemOf } from "../training/run-config.ts";
import { openRunForTraining, writeRun } from "../training/run-directory.ts";
import { untrainedTensors } from "../systems/parts/untrained-tensors.testing.ts";
import { versions } from "../training/versions.ts";
import { captureIo } from "./capture-io.testing.ts";
import { main } from "./main.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-weights-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const config: RunConfig = {
  preset: "wmgm",
  options: { levels: 1, batch: 64, lr: 1e-3, width: 16 },
  data: {
    source: "pictures",
    name: "pictures",
    count: 10,
    fingerprint: "f",
    licence: "CC BY 4.0",
    credit: "A. Painter",
    heldOut: 0,
    flip: true,
  },
  images: { low: 9000, detail: 9000 },
  model: resolveWmgmConfig(
    { channels: 3, height: 8, width: 8, levels: 1, baseWidth: 16 },
    { lowMean: [0, 0, 0], lowStd: [0.4, 0.4, 0.4], detailRms: [Array.from({ length: 9 }, () => 0.1)] },
  ),
};
const best = { low: { imagesSeen: 8000, score: 0.4125 }, detail: { imagesSeen: 6000, score: 0.75 } };

/** A run with these arrays; `scored` says where its best weights stood. */
function writeRunOf(name: string, tensors: ReadonlyMap<string, NamedArray>, scored: boolean): string {
  const path = join(dir, name);
  const lock = openRunForTraining(path);
  writeRun(path, { versions: { ...versions() }, seed: 1, imagesSeen: {}, config });
  const stages = Object.fromEntries(
    Object.entries(best).map(([stage, moment]) => [
      stage,
      { step: 90, imagesSeen: 9000, ...(scored ? { best: moment } : {}) },
    ]),
  );
  saveCheckpoint(path, {
    tensors,
    metadata: { progress: JSON.stringify({ stages, lrScale: 1, rollbacks: 0 }) },
  });
  lock.release();
  return path;
}

let both: string;
let onlyLast: string;
let onlyBest: string;
beforeAll(() => {
  const system = systemOf(config);
  const last = untrainedTensors(system, 0.05);
  const other = untrainedTensors(system, 0.1);
  const kept = [...other].flatMap(([name, array]) =>
    /^\w+\.average\./.test(name) ? [[`best.${name}`, array] as const] : [],
  );
  both = writeRunOf("both", new Map([...last, ...kept]), true);
  onlyLast = writeRunOf("last", last, false);
  onlyBest = writeRunOf("best", other, false);
});

async function subband(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const io = captureIo();
  const code = await main(argv, io);
  return { code, out: io.out, err: io.err };
}

const json = (out: string): Record<string, unknown> =>
  JSON.parse(out.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;

describe("weights that are no numbers, in a run whose checksum is good,", () => {
  const commands: readonly (readonly string[])[] = [
    ["info"],
    ["sample", "-n", "1", "--steps", "2"],
    ["export", "--steps", "2", "--out", join(dir, "poisoned.onnx")],
    ["evaluate", "-n", "2"],
    ["sample", "-n", "1", "--weights", "best"],
  ];
  test.each(commands.map(([name, ...rest]) => [name!, rest] as const))(
    "are refused by %s %j in one line that names the tensor and the remedy",
    async (command, rest) => {
      const tensors = new Map(
        [...untrainedTensors(systemOf(config))].map(([name, { shape, data }]) => [
          name,
          { shape, data: data.slice() },
        ]),
      );
      const name = "detail.average.input.weight";
      const array = [...tensors].find(([each]) => each.startsWith("detail."))!;
      array[1].data[2] = Infinity;
      const run = writeRunOf(`poisoned-${command}-${rest.join("")}`.replace(/\W/g, ""), tensors, false);
      expect(await subband(command, run, ...rest), name).toEqual({
        code: 1,
        out: "",
        err:
          `error: cannot use "${join(run, "state.safetensors")}": weights that are no finite numbers: "${array[0]}" holds ` +
          `Infinity as number 3 of ${array[1].data.length}. Restore a copy of the run, or train into a new folder with a lower --lr.\n`,
      });
    },
  );
});

describe("--weights", () => {
  test("sample draws from the last weights unless the best are asked for, and says which and of when", async () => {
    const gridOf = async (run: string, ...options: string[]): Promise<Buffer> => {
      const out = join(dir, "grid.png");
      const { code, err } = await subband("sample", run, "-n", "2", "--steps", "2", "--out", out, ...options);
      expect(code, err).toBe(0);
      return readFileSync(out);
    };
    const [last, better] = [await gridOf(onlyLast), await gridOf(onlyBest)];
    expect(last.equals(better), "the two differ").toBe(false);
    expect((await gridOf(both)).equals(last)).toBe(true);
    expect((await gridOf(both, "--weights", "last")).equals(last)).toBe(true);
    expect((await gridOf(both, "--weights", "best")).equals(better)).toBe(true);

    const options = ["-n", "1", "--steps", "2", "--weights", "best"];
    expect((await subband("sample", both, ...options)).out).toMatch(
      /^best weights +low at 8,000 images \(score 0\.412\), detail at 6,000 images \(score 0\.750\)$/m,
    );
    expect(json((await subband("sample", both, ...options, "--json")).out)).toMatchObject({
      weights: "best",
      best,
    });
  });

  test("export writes the chosen weights, and keeps in the file which they were", async () => {
    const fileOf = async (run: string, ...options: string[]): Promise<string> => {
      const out = join(dir, "sampler.onnx");
      const { code, err } = await subband("export", run, "--steps", "2", "--out", out, ...options);
      expect(code, err).toBe(0);
      return readFileSync(out).toString("latin1");
    };
    const kept = JSON.stringify({ best });
    const [last, chosen, better] = [
      await fileOf(both),
      await fileOf(both, "--weights", "best"),
      await fileOf(onlyBest),
    ];
    expect(last).not.toContain(kept);
    expect(chosen).toContain(kept);
    // The parameters of one network, as they lie in the file.
    const { data } = untrainedTensors(systemOf(config), 0.1).get("low.average.input.weight")!;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("latin1");
    expect([last, chosen, better].map((text) => text.includes(bytes))).toEqual([false, true, true]);
  });

  test("info tells where the best weights of each stage stand", async () => {
    const { out } = await subband("info", both);
    expect(out).toMatch(
      /^best weights +low at 8,000 images \(score 0\.412\), detail at 6,000 images \(score 0\.750\)$/m,
    );
    expect(json((await subband("info", both, "--json")).out)).toMatchObject({ checkpoint: { best } });
    expect((await subband("info", onlyLast)).out).not.toContain("best weights");
  });

  test.each(["sample", "evaluate", "export"])(
    "%s refuses other names, and runs without any",
    async (command) => {
      expect(await subband(command, both, "--weights", "bets")).toEqual({
        code: 1,
        out: "",
        err: 'error: unknown weights: "bets". Did you mean "best"? Known: last, best.\n',
      });
      expect(await subband(command, onlyLast, "--weights", "best")).toEqual({
        code: 1,
        out: "",
        err: `error: no best weights: run "${onlyLast}" has not been scored yet. Use --weights last, or train on: subband train --out ${onlyLast}\n`,
      });
      expect(await subband(command, both, "--wieghts", "best")).toMatchObject({
        code: 2,
        err: `error: unknown option: "--wieghts". Did you mean "--weights"? See: subband ${command} --help\n`,
      });
    },
  );
});
