/** @module How wide the blocks of channels are in ONNX Runtime's blocked convolution on this processor (ops/blocked.ts). */
import { encodeModel, ModelBuilder } from "../onnx/model.ts";
import { toBlocks } from "../ops/blocked.ts";
import type { Backend, Session } from "./backend.ts";

/** The processor stays the same. Only an answer is kept: a probe that failed is made again. */
let known: { readonly block: number | undefined } | undefined;

/**
 * Channels of a block; undefined where ONNX Runtime has no such kernels.
 * @throws whatever a session fails with for another reason. Other kernels add in another order, so that they are never
 * taken for a passing trouble: a resumed run would not go on to the same bytes.
 */
export async function convolutionBlock(backend: Backend): Promise<number | undefined> {
  if (backend.blocks !== true) return undefined;
  return (known ??= { block: await measured(backend) }).block;
}

/** More channels than any block has, of two pixels each. */
const CHANNELS = 64;

/** How ONNX Runtime refuses a model for an operator that it does not know, or has no kernel for. */
const NO_OPERATOR = /is not a registered function\/op|Could not find an implementation for/;

/** Blocks the numbers 0, 1, 2, ... as pixels of channels: 1, the second pixel of channel 0, comes after the first block. */
async function measured(backend: Backend): Promise<number | undefined> {
  const shape = [1, CHANNELS, 1, 2];
  const builder = new ModelBuilder(["x"]);
  const y = toBlocks(builder, "x");
  const port = (name: string) => ({ name, spec: { shape, dtype: "float32" as const } });
  const model = encodeModel({ builder, inputs: [port("x")], outputs: [port(y)] });
  const session = await opened(backend, model.bytes);
  if (session === undefined) return undefined;
  const blocked = new Float32Array(2 * CHANNELS);
  try {
    const x = Float32Array.from(blocked, (_, i) => i);
    await session.run({ x: backend.tensor(x, shape) }, { [y]: backend.tensor(blocked, shape) });
  } finally {
    await session.release();
  }
  const block = blocked.indexOf(1);
  return block > 1 ? block : undefined;
}

/** The session of a model; undefined where an operator of it is missing. */
async function opened(backend: Backend, model: Uint8Array): Promise<Session | undefined> {
  try {
    return await backend.createSession(model);
  } catch (error) {
    if (error instanceof Error && NO_OPERATOR.test(error.message)) return undefined;
    throw error;
  }
}
