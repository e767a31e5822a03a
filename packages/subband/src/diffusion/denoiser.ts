/**
 * @module What every formulation gives and every sampler takes: a denoiser of a variance-exploding state
 * `x = x0 + sigma n`. Samplers see this function only, never a network, a session or a file.
 */

/** A whole batch, flat; its shape is the caller's business because every sampler works element by element. */
export type State = Float32Array | Float64Array;

/**
 * `denoise(x, sigma)` predicts `E[x0 | x0 + sigma n = x]`, elementwise over the batch, with one sigma > 0 for all.
 * It must neither change nor keep `x`; it may return the same buffer at every call.
 */
export type Denoiser<T extends State = State> = (x: T, sigma: number) => T | Promise<T>;
