/**
 * @module The Node backend: ONNX Runtime's native library, on the CPU, through WebGPU on any GPU that has a Vulkan, Metal or
 * Direct3D driver, or on CUDA.
 */
import type * as ort from "onnxruntime-node";
import { modelWithEmptySequence } from "../../onnx/empty-sequence.ts";
import { Lifetime, SESSION } from "../../turns.ts";
import type { Backend, Session } from "../backend.ts";
import { viewer } from "../views.ts";
import { requireCuda } from "./cuda.ts";
import { holdGpu, THIS_THREAD } from "./gpu-holders.ts";
import { type NodeOptions, propertiesOf, shardCount } from "./node-options.ts";
import { createSession, sessionOptions, tensor } from "./ort-session.ts";
import { nodeShards } from "./shards.ts";
import { sharedDevice } from "./webgpu-device.ts";

type Tensors = Readonly<Record<string, ort.Tensor>>;

/**
 * ONNX Runtime on this machine.
 * @throws UserError `webgpu/missing` or `cuda/missing` when ONNX Runtime has no such provider for this platform,
 * `cuda/libraries` when they are not installed; `compile` throws `webgpu/adapter` when it finds no GPU, `webgpu/thread` while
 * another thread uses it, `cuda/start` when CUDA does not start, `webgpu/fallback` when a model would need the CPU and may
 * not.
 */
export function node(options: NodeOptions = {}): Backend {
  const { provider = "cpu", profile } = options;
  const device = provider === "webgpu" ? sharedDevice() : undefined;
  if (provider === "cuda") requireCuda();
  const inPlace = provider === "cpu";
  const settings = sessionOptions(options);
  const shards = shardCount(options);
  return {
    name: `node-${provider}`,
    ...propertiesOf(options),
    tensor,
    ...(device && { device }),
    ...(shards > 1 && { shards: nodeShards(shards, options) }),
    async createSession(model): Promise<Session> {
      const release = device && holdGpu(THIS_THREAD);
      const session = await open(model).catch((error: unknown) => {
        release?.();
        throw error;
      });
      const fed = viewer(session.inputNames, tensor);
      const fetched = viewer(session.outputNames, tensor);
      const lifetime = new Lifetime({
        ...SESSION,
        async free() {
          if (profile !== undefined) session.endProfiling();
          await session.release();
          release?.();
        },
      });
      return {
        run: (feeds, fetches) =>
          lifetime.run(async () => {
            const [given, asked] = [fed(feeds as Tensors), fetched(fetches as Tensors)];
            if (inPlace) await runInPlace(session, given, asked);
            else await session.run(given, asked);
            device?.count(feeds, fetches);
          }),
        release: () => lifetime.dispose(),
      };
    },
  };

  async function open(model: Uint8Array): Promise<ort.InferenceSession> {
    await device?.open();
    return createSession(inPlace ? withoutCopies(model) : model, settings);
  }
}

/**
 * `run` writes results into the given tensors, and then copies each of them once more into a new array (onnxruntime-node
 * 1.30; a change that reuses the given ones is under review as microsoft/onnxruntime#32346). For a state of a hundred
 * megabytes that is a quarter of a step. It makes them in the order of the model's outputs, and gives up at one that is no
 * tensor. So every model gets such an output, an empty sequence, ahead of its own.
 */
const STOP = "onnxgrad.stop";
const stop = modelWithEmptySequence(STOP);

/** The model with the output {@link STOP} ahead of its own: protobuf messages in a row are one, lists joined. */
function withoutCopies(model: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(stop.length + model.length);
  bytes.set(stop);
  bytes.set(model, stop.length);
  return bytes;
}

/** Runs a model that has {@link STOP}: when that is reached, results are in `fetches`. */
async function runInPlace(session: ort.InferenceSession, feeds: Tensors, fetches: Tensors): Promise<void> {
  try {
    await session.run(feeds, { [STOP]: null, ...fetches });
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith("Non tensor type"))) throw error;
  }
}
