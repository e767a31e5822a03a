/** @module For tests of restoration: small pictures of a formula with noise, and local models of random weights. */
import { rng } from "onnxgrad";
import { type BfCnnConfig, initBfCnn, initBfCnnStatistics } from "../nn/bf-cnn.ts";
import type { BfCnnNetwork } from "../nn/bf-cnn-network.ts";
import type { Picture } from "./picture.ts";

/** A network of random weights that takes a good part of its input for noise. */
export function randomNetwork(seed: number, config: Partial<BfCnnConfig> = {}): BfCnnNetwork {
  const full = { inputs: 1, outputs: 1, kernels: [3, 1, 3, 3], width: 5, ...config };
  const params = initBfCnn(rng(seed, "test-network"), full);
  const gains = params.gains.map((gain) => ({ ...gain, data: gain.data.map(() => 0.5) }));
  return { params: { ...params, gains }, statistics: initBfCnnStatistics(params) };
}

/** A network that takes for noise what a mean of 3 x 3 pixels takes away. */
export function meanOfNine(): BfCnnNetwork {
  const network = randomNetwork(1, { kernels: [3, 1], width: 1 });
  const [first, last] = network.params.weights;
  first!.data.fill(-1 / 9);
  first!.data[4] = 8 / 9;
  last!.data.fill(1);
  return network;
}

/** A conditional network without activations: the noise is the details, less `share` of the low-pass' 3 x 3 Laplacian. */
export function conditionalNetwork(share: number): BfCnnNetwork {
  const first = new Float32Array(3 * 4 * 9);
  for (let band = 0; band < 3; band++) {
    for (let i = 0; i < 9; i++) first[(band * 4 + 0) * 9 + i] = (share * (i === 4 ? -8 : 1)) / 9;
    first[(band * 4 + band + 1) * 9 + 4] = 1;
  }
  const last = Float32Array.from({ length: 9 }, (_, i) => (i % 4 === 0 ? 1 : 0));
  const weights = [
    { shape: [3, 4, 3, 3], data: first },
    { shape: [3, 3, 1, 1], data: last },
  ];
  return { params: { weights, gains: [] }, statistics: { deviations: [] } };
}

/** What {@link testPicture} makes; default gray, 8 bits, without noise. */
export interface TestPicture {
  readonly height: number;
  readonly width: number;
  readonly colours?: 1 | 3;
  readonly alpha?: boolean;
  readonly deep?: boolean;
  /** Deviation, white being 1. */
  readonly noise?: number;
}

/** Smooth waves, other ones in each colour, between 0.25 and 0.75; alpha a ramp. */
export function testPicture(options: TestPicture): Picture {
  const { height, width, colours = 1, alpha = false, deep = false, noise = 0 } = options;
  const stride = colours + (alpha ? 1 : 0);
  const peak = deep ? 65535 : 255;
  const samples = new (deep ? Uint16Array : Uint8Array)(height * width * stride);
  const random = rng(1, "test-picture");
  for (let i = 0; i < samples.length; i++) {
    const [pixel, c] = [Math.floor(i / stride), i % stride];
    const [y, x] = [Math.floor(pixel / width), pixel % width];
    const wave = 0.5 + 0.25 * Math.sin(0.05 * x + 0.03 * y * (c + 1) + c);
    const value = c < colours ? wave + noise * random.normal() : (x + y) / (height + width);
    samples[i] = Math.min(peak, Math.max(0, Math.round(peak * value)));
  }
  return { height, width, colours, alpha, samples, notes: [] };
}
