/**
 * @module A picture, and a small network that learns it: from the position of a pixel to its colour. Free of Node and
 * of the DOM: the page trains it in the tab, and the tests compare that with Node.
 */
import { adam, adamInit, add, type Backend, compile, concat, constant, cos, full, matmul } from "onnxgrad";
import { mean, ndarray, pack, rng, sigmoid, silu, sin, square, State, sub } from "onnxgrad";
import { type Tensor, valueAndGrad } from "onnxgrad";

/** Height and width of the painting, in pixels. */
export const SIDE = 96;
const FREQUENCIES = 32;
const WIDTH = 64;

/** The picture to learn, a sun over hills: colour in [0, 1] at a position in [0, 1], `v` pointing down. */
export function picture(u: number, v: number): [red: number, green: number, blue: number] {
  const hill = (height: number, waves: number, phase: number) =>
    v > height + 0.05 * Math.sin(waves * u + phase) + 0.02 * Math.sin(2.7 * waves * u);
  if (hill(0.84, 9, 4)) return [0.1, 0.13, 0.22];
  if (hill(0.74, 7, 1)) return [0.2, 0.21, 0.36];
  if (hill(0.65, 5, 2.5)) return [0.37, 0.3, 0.47];
  if (Math.hypot(u - 0.62, v - 0.47) < 0.17) return [1, 0.93 - 0.5 * v, 0.62 - 0.6 * v];
  return [0.3 + 0.95 * v, 0.28 + 0.42 * v, 0.52 - 0.1 * v];
}

/** Parameters of a dense layer. */
type Layer<T> = { readonly weight: T; readonly bias: T };

/** Colours [n, 3] at positions [n, 2]: sines of the position at fixed random frequencies, then three dense layers. */
function colours(
  [a, b, c]: readonly [Layer<Tensor>, Layer<Tensor>, Layer<Tensor>],
  position: Tensor,
): Tensor {
  const dense = ({ weight, bias }: Layer<Tensor>, x: Tensor) => add(matmul(x, weight), bias);
  const angles = matmul(position, constant(normals("frequencies", 2 * FREQUENCIES, 16), [2, FREQUENCIES]));
  const waves = concat([sin(angles), cos(angles)], 1); // [n, 2 * FREQUENCIES]
  return sigmoid(dense(c, silu(dense(b, silu(dense(a, waves))))));
}

function normals(purpose: string, n: number, scale: number): Float32Array {
  return rng(1, purpose)
    .fillNormal(new Float32Array(n))
    .map((value) => scale * value);
}

const layer = (name: string, inputs: number, outputs: number) => ({
  weight: ndarray([inputs, outputs], normals(name, inputs * outputs, inputs ** -0.5)),
  bias: full([outputs], 0),
});

/** Random positions [size, 2] and the picture's colours there [size, 3]: a pure function of the step. */
function batch(step: number, size: number): { position: Float32Array; colour: Float32Array } {
  const random = rng(1, "batch", step);
  const position = Float32Array.from({ length: 2 * size }, () => random.uniform());
  const colour = new Float32Array(3 * size);
  for (let i = 0; i < size; i++) colour.set(picture(position[2 * i]!, position[2 * i + 1]!), 3 * i);
  return { position, colour };
}

/** The network on a backend, before its first step of `size` pixels. */
export async function createPainter(backend: Backend, { size = 1024, side = SIDE } = {}) {
  const layers = [
    layer("a", 2 * FREQUENCIES, WIDTH),
    layer("b", WIDTH, WIDTH),
    layer("c", WIDTH, 3),
  ] as const;
  const params = pack(layers);
  const state = new State({ params, adam: adamInit(params) });
  const step = await compile(
    backend,
    { state, inputs: { position: [size, 2], colour: [size, 3] } },
    ({ state: { params: p, adam: moments }, position, colour }) => {
      const { value: loss, grads } = valueAndGrad((q: typeof p) =>
        mean(square(sub(colours(q, position), colour))),
      )(p);
      const next = adam(p, grads, moments, { lr: 3e-3 });
      return { state: { params: next.params, adam: next.state }, loss };
    },
  );
  const painting = await compile(backend, { state, inputs: { position: [side * side, 2] } }, (given) => ({
    colour: colours(given.state.params, given.position),
  }));
  const grid = Array.from({ length: side * side }, (_, i) => [i % side, Math.floor(i / side)]).flat();
  const position = Float32Array.from(grid, (k) => (k + 0.5) / side);
  let steps = 0;
  return {
    state,
    /** Trains one step; resolves to its loss, the mean squared error. */
    async train(): Promise<number> {
      return (await step.run(batch(steps++, size))).loss[0]!;
    },
    /** What the network would paint now, `side` x `side` pixels: colours in [0, 1], row by row. */
    async paint(): Promise<Float32Array> {
      return (await painting.run({ position })).colour;
    },
    async dispose(): Promise<void> {
      await Promise.all([step.dispose(), painting.dispose()]);
      await state.dispose();
    },
  };
}
