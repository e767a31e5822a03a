/**
 * @module The discrete Fourier transform of any size, in double precision and in place: radix 2 for powers of two,
 * Bluestein's convolution for the rest. The ground of every spectrum; it knows nothing of images.
 */
import { UserError } from "onnxgrad";

/** A Fourier transform of one fixed size, with its tables. Real and imaginary parts are separate, each `size` long. */
export interface Fft {
  readonly size: number;
  /** `X[k] = sum_n x[n] exp(-2 pi i k n / size)`, in place. */
  forward(re: Float64Array, im: Float64Array): void;
  /** Undoes {@link Fft.forward}, with its factor 1 / size. */
  inverse(re: Float64Array, im: Float64Array): void;
}

/**
 * The transform of `size` points. O(size log size) for every size.
 * @throws UserError `spectrum/size` unless `size` is a positive integer.
 */
export function fft(size: number): Fft {
  if (!Number.isInteger(size) || size < 1) {
    throw new UserError(
      "spectrum/size",
      `fft size: ${size}; expected a positive integer. Give the length of the signal.`,
    );
  }
  const forward = (size & (size - 1)) === 0 ? radix2(size) : bluestein(size);
  return {
    size,
    forward,
    inverse(re, im) {
      // Swapping the parts conjugates (up to a factor i) before and after.
      forward(im, re);
      for (let k = 0; k < size; k++) {
        re[k] = re[k]! / size;
        im[k] = im[k]! / size;
      }
    },
  };
}

type Transform = (re: Float64Array, im: Float64Array) => void;

/** Cooley-Tukey, decimation in time: bit-reversed order, then butterflies of doubling length. */
function radix2(size: number): Transform {
  const half = size / 2;
  const cos = Float64Array.from({ length: half }, (_, k) => Math.cos((2 * Math.PI * k) / size));
  const sin = Float64Array.from({ length: half }, (_, k) => -Math.sin((2 * Math.PI * k) / size));
  const bits = Math.log2(size);
  const reversed = Uint32Array.from({ length: size }, (_, k) => {
    let out = 0;
    for (let bit = 0; bit < bits; bit++) out |= ((k >> bit) & 1) << (bits - 1 - bit);
    return out;
  });
  return (re, im) => {
    for (let k = 0; k < size; k++) {
      const other = reversed[k]!;
      if (other <= k) continue;
      [re[k], re[other]] = [re[other]!, re[k]!];
      [im[k], im[other]] = [im[other]!, im[k]!];
    }
    for (let length = 1; length < size; length *= 2) {
      const stride = half / length;
      for (let start = 0; start < size; start += 2 * length) {
        for (let k = 0; k < length; k++) {
          const [low, high] = [start + k, start + k + length];
          const [c, s] = [cos[k * stride]!, sin[k * stride]!];
          const tr = c * re[high]! - s * im[high]!;
          const ti = c * im[high]! + s * re[high]!;
          re[high] = re[low]! - tr;
          im[high] = im[low]! - ti;
          re[low] = re[low]! + tr;
          im[low] = im[low]! + ti;
        }
      }
    }
  };
}

/**
 * Bluestein 1970: `k n = (k^2 + n^2 - (k - n)^2) / 2` turns the transform into a convolution with the chirp
 * `exp(i pi n^2 / size)`, done by a power-of-two transform of at least `2 size - 1` points.
 */
function bluestein(size: number): Transform {
  const padded = 2 ** Math.ceil(Math.log2(2 * size - 1));
  const inner = radix2(padded);
  const cos = new Float64Array(size);
  const sin = new Float64Array(size);
  for (let n = 0; n < size; n++) {
    // n^2 modulo 2 size keeps the angle, and its precision, small.
    const angle = (Math.PI * ((n * n) % (2 * size))) / size;
    cos[n] = Math.cos(angle);
    sin[n] = Math.sin(angle);
  }
  const chirpRe = new Float64Array(padded);
  const chirpIm = new Float64Array(padded);
  for (let n = 0; n < size; n++) {
    const mirrored = (padded - n) % padded;
    chirpRe[n] = chirpRe[mirrored] = cos[n]! / padded; // the factor of the inverse transform below
    chirpIm[n] = chirpIm[mirrored] = sin[n]! / padded;
  }
  inner(chirpRe, chirpIm);
  const ar = new Float64Array(padded);
  const ai = new Float64Array(padded);
  return (re, im) => {
    ar.fill(0);
    ai.fill(0);
    for (let n = 0; n < size; n++) {
      ar[n] = re[n]! * cos[n]! + im[n]! * sin[n]!;
      ai[n] = im[n]! * cos[n]! - re[n]! * sin[n]!;
    }
    inner(ar, ai);
    for (let k = 0; k < padded; k++) {
      const real = ar[k]! * chirpRe[k]! - ai[k]! * chirpIm[k]!;
      ai[k] = ar[k]! * chirpIm[k]! + ai[k]! * chirpRe[k]!;
      ar[k] = real;
    }
    inner(ai, ar); // swapped parts: the inverse transform
    for (let k = 0; k < size; k++) {
      re[k] = ar[k]! * cos[k]! + ai[k]! * sin[k]!;
      im[k] = ai[k]! * cos[k]! - ar[k]! * sin[k]!;
    }
  };
}
