/** @module A training of the default preset through the loop, kept in memory: free of Node and of the DOM. */
import { type Backend, type NamedArray, rng } from "onnxgrad";
import { type LoopHost, resolveWmgmConfig, type Saved, train, wmgm } from "subband";

/** Steps of the low band; the details take as many. */
const STEPS = 4;
const BATCH = 4;
const SIDE = 8;
const SIZE = 3 * SIDE * SIDE;

const system = wmgm(
  resolveWmgmConfig(
    { channels: 3, height: SIDE, width: SIDE, levels: 1, baseWidth: 8, batch: BATCH },
    { lowMean: [0, 0, 0], lowStd: [1, 1, 1], detailRms: [Array<number>(9).fill(0.5)] },
  ),
);

const pictures = rng(1, "pictures").fillNormal(new Float32Array(16 * SIZE));
const images = {
  ...system.image,
  count: 16,
  read(index: number, _: boolean, into: Float32Array, offset: number): void {
    into.set(pictures.subarray(index * SIZE, (index + 1) * SIZE), offset);
  },
};

/** What a training came to. */
export interface TinyTraining {
  /** First number that each step reported, in the order of the steps. */
  readonly losses: number[];
  /** All that was saved last, one array after the other in the order of their names. */
  readonly saved: number[];
}

/** Trains, where `stopAt` is given in two goes: the second resumes after so many steps from what the first has saved. */
export async function tinyTraining(backend: Backend, stopAt?: number): Promise<TinyTraining> {
  let saved: Saved | undefined;
  const losses: number[] = [];
  const go = async (signal?: AbortSignal, tell: LoopHost["tell"] = () => undefined) =>
    train(
      {
        place: "memory",
        now: () => performance.now(),
        load: () => Promise.resolve(saved),
        save({ arrays, progress }) {
          const kept = [...arrays].map(([name, { shape, data }]): [string, NamedArray] => [
            name,
            { shape, data: data.slice() },
          ]);
          saved = { arrays: new Map(kept), progress };
          return Promise.resolve();
        },
        tell(event) {
          if (event.kind === "step") losses.push(Object.values(event.metrics)[0]!);
          return tell(event);
        },
        signal,
      },
      {
        backend,
        stages: system.stages,
        images: Object.fromEntries(system.stages.map(({ name, batch }) => [name, STEPS * batch])),
        dataset: images,
        heldOut: images,
        seed: 2,
        flip: false,
      },
    );
  if (stopAt !== undefined) {
    const controller = new AbortController();
    await go(controller.signal, () => {
      if (losses.length === stopAt) controller.abort();
    });
  }
  await go();
  const names = [...saved!.arrays.keys()].sort();
  return { losses, saved: names.flatMap((name) => [...saved!.arrays.get(name)!.data]) };
}
