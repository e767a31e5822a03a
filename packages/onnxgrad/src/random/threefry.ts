/**
 * @module Counter-based random numbers: Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3", SC 2011). A stream is a pure function of (seed, purpose, index), so every draw of a run can be
 * repeated, in any order and on any machine, without carrying generator state.
 */

const PARITY = 0x1bd11bda;

/** One Threefry-2x32-20 block: encrypts the counter (c0, c1) under the key (k0, k1) into `out[0..1]`. */
export function threefry2x32(k0: number, k1: number, c0: number, c1: number, out: Uint32Array): void {
  const k2 = PARITY ^ k0 ^ k1;
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  let ka = k1;
  let kb = k2;
  let kc = k0;
  for (let group = 0; group < 5; group++) {
    // Four rounds, written out: this is the innermost loop of all noise. The rotations alternate between two sets.
    if ((group & 1) === 0) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 13) | (x1 >>> 19)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 15) | (x1 >>> 17)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 26) | (x1 >>> 6)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 6) | (x1 >>> 26)) ^ x0;
    } else {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 17) | (x1 >>> 15)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 29) | (x1 >>> 3)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 16) | (x1 >>> 16)) ^ x0;
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << 24) | (x1 >>> 8)) ^ x0;
    }
    x0 = (x0 + ka) | 0;
    x1 = (x1 + kb + group + 1) | 0;
    const first = ka;
    ka = kb;
    kb = kc;
    kc = first;
  }
  out[0] = x0;
  out[1] = x1;
}

/** A stream of random numbers; see {@link rng}. */
export interface Rng {
  /** Uniform 32-bit integer. */
  uint32(): number;
  /** Uniform in [0, 1), 53 bits. */
  uniform(): number;
  /** Uniform integer in [0, n), unbiased; n in 1..2^32. */
  below(n: number): number;
  /** Standard normal N(0, 1). */
  normal(): number;
  /** Fills `target` with N(0, 1) and returns it. */
  fillNormal<T extends Float32Array | Float64Array>(target: T): T;
  /** Fisher-Yates permutation of 0..n-1. */
  permutation(n: number): Uint32Array;
}

/**
 * The stream named by (seed, purpose, index): the same triple always gives the same numbers, different triples give
 * independent ones. `seed` and `index` are non-negative integers below 2^53; `purpose` is a short name of the use.
 *
 * @example
 * const noise = rng(42, "sample-noise", imageIndex).fillNormal(new Float32Array(3 * 8 * 8));
 */
export function rng(seed: number, purpose: string, index = 0): Rng {
  const block = new Uint32Array(2);
  // Fold every part of the name into the key, one cipher call each, so that no two triples share a stream by xor.
  threefry2x32(seed >>> 0, Math.floor(seed / 2 ** 32) >>> 0, hash32(purpose), purpose.length, block);
  threefry2x32(block[0]!, block[1]!, index >>> 0, Math.floor(index / 2 ** 32) >>> 0, block);
  const k0 = block[0]!;
  const k1 = block[1]!;
  let counter = 0;
  let half = 2; // next unread word of the block
  let spare = Number.NaN;

  const uint32 = (): number => {
    if (half === 2) {
      threefry2x32(k0, k1, counter >>> 0, Math.floor(counter / 2 ** 32), block);
      counter++;
      half = 0;
    }
    return block[half++]!;
  };
  const uniform = (): number => ((uint32() >>> 5) * 67108864 + (uint32() >>> 6)) / 9007199254740992;
  const below = (n: number): number => {
    const limit = 2 ** 32 - (2 ** 32 % n);
    let draw = uint32();
    while (draw >= limit) draw = uint32();
    return draw % n;
  };
  const normal = (): number => {
    if (!Number.isNaN(spare)) {
      const value = spare;
      spare = Number.NaN;
      return value;
    }
    // Box-Muller on two 32-bit uniforms; the half step keeps the logarithm finite (largest value 6.76).
    const radius = Math.sqrt(-2 * Math.log((uint32() + 0.5) / 2 ** 32));
    const angle = (2 * Math.PI * uint32()) / 2 ** 32;
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return {
    uint32,
    uniform,
    below,
    normal,
    fillNormal(target) {
      for (let i = 0; i < target.length; i++) target[i] = normal();
      return target;
    },
    permutation(n) {
      const order = Uint32Array.from({ length: n }, (_, i) => i);
      for (let i = n - 1; i > 0; i--) {
        const j = below(i + 1);
        const held = order[i]!;
        order[i] = order[j]!;
        order[j] = held;
      }
      return order;
    },
  };
}

/** FNV-1a hash of the UTF-16 code units. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
