/** @module A small training to measure what surrounds the arithmetic: convolutions on random images, with AdamW. */
import {
  adam,
  adamInit,
  type Backend,
  compile,
  conv2d,
  mean,
  ndarray,
  pack,
  rng,
  silu,
  type Shape,
  square,
  sub,
  type Tensor,
  valueAndGrad,
} from "onnxgrad";

/** Size of the network and its batch. */
export interface ConvTrainerOptions {
  readonly width: number;
  /** Convolutions in all. */
  readonly depth: number;
  readonly batch: number;
  /** Pixels of a side. */
  readonly size: number;
}

/** A compiled step that is fed a new batch each time. */
export interface ConvTrainer {
  /** Makes a step and gives its loss. */
  step(): Promise<number>;
  /** Numbers in the state. */
  readonly stateSize: number;
  dispose(): Promise<void>;
}

/** Compiles the training step on `backend`. */
export async function convTrainer(
  backend: Backend,
  { width, depth, batch, size }: ConvTrainerOptions,
): Promise<ConvTrainer> {
  const layer = (index: number, from: number, to: number) =>
    ndarray(
      [to, from, 3, 3],
      rng(1, "conv-trainer", index)
        .fillNormal(new Float32Array(to * from * 9))
        .map((value) => value / Math.sqrt(9 * from)),
    );
  const params = pack({
    first: layer(0, 3, width),
    inner: Array.from({ length: depth - 2 }, (_, i) => layer(i + 1, width, width)),
    last: layer(depth - 1, width, 3),
  });
  const shape: Shape = [batch, 3, size, size];
  const program = await compile(
    backend,
    { state: { params, adam: adamInit(params) }, inputs: { x: shape } },
    ({ state, x }) => {
      const { value: loss, grads } = valueAndGrad((p: typeof state.params) => {
        const inner = p.inner.reduce<Tensor>(
          (h, weight) => silu(conv2d(h, weight, { padding: 1 })),
          silu(conv2d(x, p.first, { padding: 1 })),
        );
        return mean(square(sub(conv2d(inner, p.last, { padding: 1 }), x)));
      })(state.params);
      const next = adam(state.params, grads, state.adam, { lr: 1e-3, weightDecay: 0.01 });
      return { state: { params: next.params, adam: next.state }, loss };
    },
  );
  const pixels = new Float32Array(batch * 3 * size * size);
  let steps = 0;
  return {
    async step() {
      rng(2, "conv-trainer", steps++).fillNormal(pixels);
      return (await program.run({ x: pixels }, { reuse: true })).loss[0]!;
    },
    stateSize: 3 * params.data.length,
    dispose: () => program.dispose(),
  };
}
