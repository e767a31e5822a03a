/**
 * @module Two training steps of the default preset's low band, small: more than a hundred parameters in one pack, as many
 * averages in another, Adam. Runs in Node and browsers alike.
 */
import { type Backend, compile, rng, State } from "onnxgrad";
import { resolveWmgmConfig, wmgm } from "subband";

/** What the steps gave; plain data. */
export interface StepReport {
  /** Arrays of the state, packs opened. */
  readonly arrays: number;
  /** Loss and norm of the gradient of each step. */
  readonly metrics: readonly number[];
  /** First moments of Adam after the first step: a tenth of the gradient. */
  readonly moments: readonly number[];
}

/** Trains on `backend`, from the same pixels and noise everywhere. */
export async function stepWmgm(backend: Backend): Promise<StepReport> {
  const system = wmgm(
    resolveWmgmConfig(
      { channels: 3, height: 16, width: 16, levels: 1, baseWidth: 8, batch: 4 },
      { lowMean: [0, 0, 0], lowStd: [0.4, 0.4, 0.4], detailRms: [Array<number>(9).fill(0.1)] },
    ),
  );
  const stage = system.stages.find(({ name }) => name === "low")!;
  const { inputs, build } = stage.programs["step"]!;
  const state = new State(stage.begin({ seed: 1, arrays: new Map() }));
  const program = await compile(backend, { state, inputs }, build as never);
  const pixels = rng(1, "pixels").fillNormal(new Float32Array(4 * 3 * 16 * 16));
  const metrics: number[] = [];
  let moments: readonly number[] = [];
  for (let step = 0; step < 2; step++) {
    const context = { seed: 1, step, imagesSeen: 4 * step, progress: 0, lrScale: 1 };
    const found: object = await program.run({ pixels, ...stage.feeds(context, { pixels }) } as never);
    metrics.push(...Object.values(found as Record<string, Float32Array>).map(([value]) => value!));
    await state.pull();
    if (step === 0) moments = [...state.tensors().get("adam.m")!.data];
  }
  await program.dispose();
  await state.dispose();
  return { arrays: state.tensors().size, metrics, moments };
}
