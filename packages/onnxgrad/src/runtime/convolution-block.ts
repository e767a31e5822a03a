/** @module How wide the blocks of channels are in ONNX Runtime's blocked convolution on this processor (ops/blocked.ts). */
import { encodeModel, ModelBuilder } from "../onnx/model.ts";
import { toBlocks } from "../ops/blocked.ts";
import type { Backend } from "./backend.ts";

/** The processor stays the same. */
let known: Promise<number | undefined> | undefined;

/** Channels of a block; undefined where ONNX Runtime has no such kernels. */
export function convolutionBlock(backend: Backend): Promise<number | undefined> {
  if (backend.blocks !== true) return Promise.resolve(undefined);
  return (known ??= measured(backend));
}

/** More channels than any block has, of two pixels each. */
const CHANNELS = 64;

/** Blocks the numbers 0, 1, 2, ... as pixels of channels: 1, the second pixel of channel 0, comes after the first block. */
async function measured(backend: Backend): Promise<number | undefined> {
  const shape = [1, CHANNELS, 1, 2];
  const builder = new ModelBuilder(["x"]);
  const y = toBlocks(builder, "x");
  const port = (name: string) => ({ name, spec: { shape, dtype: "float32" as const } });
  const model = encodeModel({ builder, inputs: [port("x")], outputs: [port(y)] });
  const blocked = new Float32Array(2 * CHANNELS);
  try {
    const session = await backend.createSession(model.bytes);
    const x = Float32Array.from(blocked, (_, i) => i);
    await session.run({ x: backend.tensor(x, shape) }, { [y]: backend.tensor(blocked, shape) });
    await session.release();
  } catch {
    return undefined; // no such operator
  }
  const block = blocked.indexOf(1);
  return block > 1 ? block : undefined;
}
