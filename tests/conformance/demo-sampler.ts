/**
 * @module The sampler of `subband demo`, as it is compiled and as one exported file: what a provider draws with it. Its
 * weights are moved from their initial values instead of trained. Runs in Node and browsers alike.
 */
import { type Backend, rng, type RuntimeTensor } from "onnxgrad";
import { compileDraw, exportDraw, resolveWmgmConfig, type System, wmgm } from "subband";
import { untrainedTensors } from "../../packages/subband/src/systems/parts/untrained-tensors.testing.ts";

/** Images that are drawn. */
const COUNT = 2;

/** Images [2, 3, 64, 64] about [-1, 1], and bytes [2, 64, 64, 3] from the exported file; plain data. */
export interface DemoImages {
  readonly compiled: readonly number[];
  readonly exported: readonly number[];
}

/** What the demo trains, at its size and width. */
function demoSystem(): System {
  const scaling = { lowMean: [0.1, 0, -0.1], lowStd: [0.4, 0.5, 0.4] };
  const detailRms = [0.05, 0.1, 0.2].map((rms) => Array<number>(9).fill(rms));
  return wmgm(resolveWmgmConfig({ channels: 3, height: 64, width: 64 }, { ...scaling, detailRms }));
}

/** Draws on `backend`, from the same noise everywhere. */
export async function drawDemo(backend: Backend): Promise<DemoImages> {
  const system = demoSystem();
  const tensors = untrainedTensors(system);
  const chain = system.draw.steps(system.draw.choose({ sampler: "dpmpp2m", steps: 2 }));
  const drawing = await compileDraw(backend, chain, tensors, COUNT);
  const { data } = await drawing.run({ seed: 1, count: COUNT });
  await drawing.dispose();

  const { bytes, inputs, output } = exportDraw(chain, tensors);
  const session = await backend.createSession(bytes);
  const feeds = inputs.map(({ name, shape }): [string, RuntimeTensor] => {
    const dims = [COUNT, ...shape];
    const noise = rng(2, name).fillNormal(new Float32Array(dims.reduce((a, b) => a * b)));
    return [name, backend.tensor(noise, dims)];
  });
  const shape = [COUNT, ...output.shape];
  const image = new Uint8Array(shape.reduce((a, b) => a * b));
  await session.run(Object.fromEntries(feeds), { [output.name]: backend.tensor(image, shape) });
  await session.release();
  return { compiled: [...data], exported: [...image] };
}
