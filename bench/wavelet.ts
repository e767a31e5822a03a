/** @module Bench: `wavedec2` of a 512 x 512 x 3 float32 image on 3 levels against PyWavelets. */
import type { BoundaryMode } from "../packages/subband/src/wavelet/boundary-modes.ts";
import { planes } from "../packages/subband/src/wavelet/planes.ts";
import { wavedec2 } from "../packages/subband/src/wavelet/wavedec.ts";
import { type Bench, inProcess, interleave, judge, noPeer, sides, startPeer } from "./harness.ts";

const CASES: readonly [wavelet: string, mode: BoundaryMode, target: number | undefined][] = [
  ["haar", "periodization", 5],
  ["db4", "symmetric", undefined],
];
const REPEATS = 20;

export const waveletBench: Bench = {
  name: "wavelet",
  summary: "wavedec2 of 512 x 512 x 3 float32, 3 levels, against PyWavelets",
  async run(report, { turns }) {
    const peer = startPeer("pywt_wavedec2.py", ["pywt", "numpy"]);
    // The peer computes the same image.
    const samples = Float32Array.from({ length: 3 * 512 * 512 }, (_, i) => (((7919 * i) % 101) - 50) / 8);
    const image = planes(samples, [3, 512, 512]);
    for (const [wavelet, mode, target] of CASES) {
      const transform = () => wavedec2(image, wavelet, mode, 3);
      const answer = await peer?.setup({ wavelet, mode });
      const bands = transform().flat();
      const measured = await interleave(inProcess(transform), peer, { turns: 2 * turns, repeats: REPEATS });
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
                `band energies agree to ${energyDifference(answer["energy"] as number[], bands).toExponential(1)}`,
              ]),
        ],
      });
    }
    peer?.stop();
    return undefined;
  },
};

/** Both must have computed the same bands: the largest relative difference of their energies, at most 1e-3. */
function energyDifference(
  theirs: readonly number[],
  bands: readonly { readonly data: Float32Array }[],
): number {
  const differences = bands.map(({ data }, i) => {
    const energy = data.reduce((sum, x) => sum + x * x, 0);
    return Math.abs(energy / theirs[i]! - 1);
  });
  const worst = Math.max(...differences);
  if (!(worst <= 1e-3)) throw new Error(`band ${differences.indexOf(worst)}: energies differ by ${worst}`);
  return worst;
}
