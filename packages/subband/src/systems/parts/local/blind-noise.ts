/**
 * @module Noise whose level the network is not told: how levels are drawn in training, and what is drawn with them. All
 * of it is a pure function of a stream, so that a resumed run draws the same.
 */
import type { Rng } from "onnxgrad";

/** Draws the deviation of one image's noise, in the units of the band that it is put on. */
export type DrawLevel = (random: Rng) => number;

/**
 * Levels as published: (u / 255)^2 with u a whole number drawn evenly from 0..steps - 1, so that the density falls as
 * 1 / sqrt(sigma). 255 steps reach (254 / 255)^2.
 */
export function quadraticLevels(steps: number): DrawLevel {
  return (random) => (Math.floor(random.uniform() * steps) / 255) ** 2;
}

/** Levels whose logarithm is drawn evenly: as many in each octave between `least` and `greatest`. */
export function logUniformLevels(least: number, greatest: number): DrawLevel {
  const octaves = Math.log(greatest / least);
  return (random) => least * Math.exp(octaves * random.uniform());
}

/** One number an image, from the stream of one purpose. */
export function drawEach(random: Rng, images: number, draw: DrawLevel): Float32Array {
  return Float32Array.from({ length: images }, () => draw(random));
}

/** N(0, 1) for an array of `shape`. */
export function drawNormal(random: Rng, shape: readonly number[]): Float32Array {
  return random.fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1)));
}
