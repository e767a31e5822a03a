/** @module What the tests call in the page, as `suite`: a training run with all that crosses to and from the GPU counted. */
import { add, type Backend, compile, full, mean } from "onnxgrad";
import { web } from "onnxgrad/web";
import { createPainter } from "../../../examples/web-training/network.ts";
import { type TinyTraining, tinyTraining } from "./tiny-training.ts";

/** What {@link suite.train} gives back. */
export interface TrainingReport {
  readonly losses: number[];
  /** Bytes that a step moved between host and GPU, by the browser's own calls, for each step. */
  readonly toHost: number[];
  readonly toDevice: number[];
  /** All values of the state: when read first, and when read once more, one step later. */
  readonly states: readonly [first: number[], second: number[]];
  /** Threads that the page has started. */
  readonly workers: number;
}

/** `MAP_READ`. */
const MAP_READ = 1;

const counted = { workers: 0, toHost: 0, toDevice: 0 };

/** Counts at the browser's own interfaces: whatever copies, it must pass here. */
function spy(): void {
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      counted.workers++;
    }
  };
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (...args) {
    counted.toDevice += (args[2] as ArrayBufferView).byteLength;
    return writeBuffer.apply(this, args);
  };
  const { getMappedRange } = GPUBuffer.prototype;
  GPUBuffer.prototype.getMappedRange = function (...args) {
    const range = getMappedRange.apply(this, args);
    counted[this.usage & MAP_READ ? "toHost" : "toDevice"] += range.byteLength;
    return range;
  };
}
spy();

let backend: Backend | undefined;

const suite = {
  /** Chooses where everything after it runs. */
  use(provider: "wasm" | "webgpu", threads: number): string {
    backend = web({ provider, threads });
    return backend.name;
  },

  /** Trains the default preset of subband through its loop, interrupted after `stopAt` steps. */
  loop(stopAt?: number): Promise<TinyTraining> {
    return tinyTraining(backend!, stopAt);
  },

  /** Trains the network of the example, `size` pixels a step. */
  async train(steps: number, size: number): Promise<TrainingReport> {
    const painter = await createPainter(backend!, { size, side: 8 });
    const [losses, toHost, toDevice]: [number[], number[], number[]] = [[], [], []];
    for (let k = 0; k < steps; k++) {
      const before = { ...counted };
      losses.push(await painter.train());
      toHost.push(counted.toHost - before.toHost);
      toDevice.push(counted.toDevice - before.toDevice);
    }
    const read = async () => {
      await painter.state.pull();
      return [...painter.state.entries.values()].flatMap(({ current }) => [...current]);
    };
    const first = await read();
    losses.push(await painter.train());
    const states = [first, await read()] as const;
    await painter.dispose();
    return { losses, toHost, toDevice, states, workers: counted.workers };
  },

  /**
   * Counts up a state of 1000 floats, its mean read every `readEvery` runs: bytes to the host for each run, and the count,
   * which is fetched when no program is left.
   */
  async count(
    runs: number,
    readEvery: number,
  ): Promise<{ toHost: number[]; means: number[]; count: number }> {
    const program = await compile(backend!, { state: { x: full([1000], 0) }, readEvery }, ({ state }) => {
      const x = add(state.x, 1);
      return { state: { x }, mean: mean(x) };
    });
    const [toHost, means]: [number[], number[]] = [[], []];
    for (let k = 0; k < runs; k++) {
      const before = counted.toHost;
      means.push((await program.run({})).mean[0]!);
      toHost.push(counted.toHost - before);
    }
    // The state must outlive its last program.
    await program.dispose();
    await program.state.dispose();
    return { toHost, means, count: program.state.tree().x.data[999]! };
  },

  /** Overlapping runs of x + state, then of a program that is disposed of meanwhile: what each gives, or the error's code. */
  async overlap(): Promise<{ sums: number[]; late: string }> {
    const program = await compile(
      backend!,
      { state: { total: full([4], 0) }, inputs: { x: [4] } },
      ({ state, x }) => {
        const total = add(state.total, x);
        return { state: { total }, total };
      },
    );
    const x = new Float32Array(4);
    const runs = [1, 10, 100].map((value) => program.run({ x: x.fill(value) }));
    const ends = [program.dispose(), program.dispose()];
    const late = await program.run({ x }).then(String, ({ code }: { code: string }) => code);
    const sums = (await Promise.all(runs)).map(({ total }) => total[3]!);
    await Promise.all([...ends, program.dispose(), program.state.dispose()]);
    return { sums: [...sums, program.state.tree().total.data[0]!], late };
  },
};
export type Suite = typeof suite;
(globalThis as unknown as { suite: Suite }).suite = suite;
