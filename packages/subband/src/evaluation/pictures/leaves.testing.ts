/**
 * @module For tests: pictures with what photographs have, edges at any place between plain and finely textured areas, and no
 * grid: dead leaves, discs of random place, size and colour that cover each other (Lee, Mumford and Huang 2001).
 */
import { rng } from "onnxgrad";

/** `count` grey pictures [1, side, side] in [-1, 1], of (seed, number); a third of the discs is textured. */
export function leaves(seed: number, count: number, side: number): Float32Array {
  const images = new Float32Array(count * side * side);
  for (let n = 0; n < count; n++) {
    const random = rng(seed, "leaves", n);
    const image = images.subarray(n * side * side, (n + 1) * side * side);
    for (let leaf = 0; leaf < 60; leaf++) {
      // Radii are distributed as 1 / r^3, as in photographs.
      const radius = side / Math.sqrt(4 + 200 * random.uniform());
      const [x, y] = [side * random.uniform(), side * random.uniform()];
      const [grey, slope] = [1.6 * random.uniform() - 0.8, 0.02 * (random.uniform() - 0.5)];
      const texture = random.uniform() < 0.33 ? 0.15 : 0;
      const [fx, fy] = [3 * random.uniform(), 3 * random.uniform()];
      for (let row = 0; row < side; row++)
        for (let column = 0; column < side; column++) {
          const [dx, dy] = [column - x, row - y];
          const cover = Math.min(1, Math.max(0, radius - Math.hypot(dx, dy) + 0.5));
          if (cover === 0) continue;
          const value = grey + slope * (dx + dy) + texture * Math.sin(fx * dx + fy * dy);
          const i = row * side + column;
          image[i] = cover * value + (1 - cover) * image[i]!;
        }
    }
    // What cameras have: a little noise, everywhere.
    for (let i = 0; i < image.length; i++) image[i]! += 0.004 * random.normal();
  }
  return images;
}
