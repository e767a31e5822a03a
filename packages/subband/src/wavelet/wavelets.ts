/**
 * @module Filter banks by name, with PyWavelets' names and sign conventions. The four filters of a bank follow from the
 * stored low-passes by the alternating flip, exactly.
 */
import { unknownName, UserError } from "onnxgrad";
import { BIORTHOGONAL, ORTHOGONAL } from "./filter-coefficients.ts";

/** Families of wavelets: Haar, Daubechies, symlets, coiflets, biorthogonal splines and these reversed. */
export type WaveletFamily = "haar" | "db" | "sym" | "coif" | "bior" | "rbio";

/** A two-channel perfect-reconstruction filter bank. All four filters have the same even length. */
export interface Wavelet {
  /** PyWavelets' name, e.g. `db2`, `bior4.4`. */
  readonly name: string;
  readonly family: WaveletFamily;
  /** Whether synthesis is the transpose of analysis, so that periodization keeps the energy. */
  readonly orthogonal: boolean;
  /** Analysis low-pass; sums to sqrt(2). */
  readonly decLo: readonly number[];
  /** Analysis high-pass; sums to 0. */
  readonly decHi: readonly number[];
  /** Synthesis low-pass. */
  readonly recLo: readonly number[];
  /** Synthesis high-pass. */
  readonly recHi: readonly number[];
}

/** A wavelet, or the name of one. */
export type WaveletLike = string | Wavelet;

const built = new Map<string, Wavelet>();

/**
 * The wavelet of that name; see {@link listWavelets} for the names. A {@link Wavelet} is returned as it is.
 *
 * @example
 * wavelet("haar").decHi; // [-0.7071067811865476, 0.7071067811865476]
 * @throws UserError `unknown/wavelet`, with the nearest name, when there is none.
 */
export function wavelet(name: WaveletLike): Wavelet {
  if (typeof name !== "string") return name;
  let found = built.get(name);
  if (found === undefined) {
    found = build(name);
    built.set(name, found);
  }
  return found;
}

/** Names of all wavelets, family by family; with `family`, only that family's. */
export function listWavelets(family?: WaveletFamily): string[] {
  const names = [
    "haar",
    ...Object.keys(ORTHOGONAL),
    ...Object.keys(BIORTHOGONAL),
    ...Object.keys(BIORTHOGONAL).map((name) => name.replace("bior", "rbio")),
  ];
  return family === undefined ? names : names.filter((name) => familyOf(name) === family);
}

/**
 * Checks a name for uses that only orthogonal wavelets have, such as those where white noise must stay white, and returns
 * it; db1, which is the same, becomes `haar`.
 * @throws UserError `unknown/wavelet`, with the nearest name; `wavelet/biorthogonal`.
 */
export function orthogonalWavelet(name: string): string {
  if (wavelet(name).orthogonal) return name === "db1" ? "haar" : name;
  throw new UserError(
    "wavelet/biorthogonal",
    `wavelet "${name}" is biorthogonal: white noise would not stay white in its bands. Give an orthogonal one: haar, ` +
      `dbN, symN or coifN (subband wavelets lists them).`,
  );
}

/** Whether `name` is that of an orthogonal wavelet. */
export function isOrthogonal(name: string): boolean {
  return name === "haar" || Object.hasOwn(ORTHOGONAL, name);
}

function familyOf(name: string): WaveletFamily {
  return name.replace(/[\d.]+$/, "") as WaveletFamily;
}

function build(name: string): Wavelet {
  const family = familyOf(name);
  const orthogonal = ownValue(ORTHOGONAL, name === "haar" ? "db1" : name);
  if (orthogonal !== undefined) return filterBank(name, family, true, orthogonal.toReversed(), orthogonal);
  const spline = ownValue(BIORTHOGONAL, family === "rbio" ? name.replace("rbio", "bior") : name);
  if (spline === undefined) throw unknownName("wavelet", name, listWavelets());
  // A reverse biorthogonal bank is the transpose of the biorthogonal one: roles swapped, filters reversed.
  if (family === "rbio")
    return filterBank(name, family, false, spline.recLo.toReversed(), spline.decLo.toReversed());
  return filterBank(name, family, false, spline.decLo, spline.recLo);
}

/** Completes a bank by the alternating flip: recHi[k] = (-1)^k decLo[k], decHi[k] = -(-1)^k recLo[k]. */
function filterBank(
  name: string,
  family: WaveletFamily,
  orthogonal: boolean,
  decLo: readonly number[],
  recLo: readonly number[],
): Wavelet {
  return Object.freeze({
    name,
    family,
    orthogonal,
    decLo: Object.freeze([...decLo]),
    decHi: Object.freeze(recLo.map((tap, k) => (k % 2 === 0 ? -tap : tap))),
    recLo: Object.freeze([...recLo]),
    recHi: Object.freeze(decLo.map((tap, k) => (k % 2 === 0 ? tap : -tap))),
  });
}

/** `table[key]` unless `key` names something inherited, such as `constructor`. */
function ownValue<T>(table: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}
