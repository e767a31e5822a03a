/** @module Bench: `wavedec2` of a 512 x 512 x 3 float32 image on 3 levels against PyWavelets. */
import { fileURLToPath } from "node:url";
import type { BoundaryMode } from "../packages/subband/src/wavelet/boundary-modes.ts";
import { type Bench, interleave, judge, noPeer, sides, startPeer, startProcess } from "./harness.ts";

const CASES: readonly [wavelet: string, mode: BoundaryMode, target: number | undefined][] = [
  ["haar", "periodization", 5],
  ["db4", "symmetric", undefined],
];
/** Calls a turn: after the pause of a turn the first calls touch memory that is fresh from the system. */
const REPEATS = 100;

export const waveletBench: Bench = {
  name: "wavelet",
  summary: "wavedec2 of 512 x 512 x 3 float32, 3 levels, against PyWavelets",
  async run(report, { turns }) {
    const peer = startPeer("pywt_wavedec2.py", ["pywt", "numpy"]);
    const ours = startProcess(process.execPath, [
      ...process.execArgv,
      fileURLToPath(new URL("wavelet-child.ts", import.meta.url)),
    ]);
    for (const [wavelet, mode, target] of CASES) {
      const { energy } = await ours.setup({ wavelet, mode });
      const answer = await peer?.setup({ wavelet, mode });
      const measured = await interleave(ours, peer, { turns: 2 * turns, repeats: REPEATS });
      report({
        bench: "wavelet",
        name: `wavedec2 ${wavelet} ${mode}`,
        ...sides(measured),
        ...(target === undefined ? {} : judge(measured, target)),
        notes: [
          ...measured.notes,
          ...(answer === undefined
            ? [noPeer("python3-pywt")]
            : [
                `${String(answer["versions"])}, one thread each`,
                `band energies agree to ${energyDifference(answer["energy"] as number[], energy as number[]).toExponential(1)}`,
              ]),
        ],
      });
    }
    ours.stop();
    peer?.stop();
    return undefined;
  },
};

/** Both must have computed the same bands: the largest relative difference of their energies, at most 1e-3. */
function energyDifference(theirs: readonly number[], ours: readonly number[]): number {
  const differences = ours.map((energy, i) => Math.abs(energy / theirs[i]! - 1));
  const worst = Math.max(...differences);
  if (!(worst <= 1e-3)) throw new Error(`band ${differences.indexOf(worst)}: energies differ by ${worst}`);
  return worst;
}
