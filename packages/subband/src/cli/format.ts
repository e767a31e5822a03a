/** @module Numbers for people: counts, sizes, durations, losses. */
import type { BestMoment } from "../loop/progress.ts";

/** `12,800`. Number.toLocaleString would load the tables of all languages first, which takes 8 ms. */
export function formatCount(n: number): string {
  return String(Math.round(n)).replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** `999 B`, `1.5 kB`, `20.0 MB`, `3.2 GB`; decimal units. */
export function formatBytes(n: number): string {
  if (n < 1000) return `${Math.round(n)} B`;
  if (n < 999_950) return `${(n / 1e3).toFixed(1)} kB`;
  if (n < 999_950_000) return `${(n / 1e6).toFixed(1)} MB`;
  return `${(n / 1e9).toFixed(1)} GB`;
}

/** `45 s`, `3 min 10 s`, `2 h 05 min`, from seconds. */
export function formatDuration(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** `0.4 %`, from a share of 0..1. */
export function formatPercent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

/** Three significant digits: `0.123`, `12.3`, `1.23e-7`. */
export function formatValue(value: number | string): string {
  return typeof value === "string" || Number.isInteger(value) ? String(value) : value.toPrecision(3);
}

/** `low 1,024 images, detail 512 images`. */
export function stagesLine(images: Readonly<Record<string, number>>): string {
  return Object.entries(images)
    .map(([stage, n]) => `${stage} ${formatCount(n)} images`)
    .join(", ");
}

/** A word that a shell takes as it is. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./~-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** `low at 24,832 images (score 0.412), detail at 18,080 images (score 0.287)`: where the best weights stood. */
export function bestLine(best: Readonly<Record<string, BestMoment>>): string {
  return Object.entries(best)
    .map(
      ([stage, { imagesSeen, score }]) =>
        `${stage} at ${formatCount(imagesSeen)} images (score ${formatValue(score)})`,
    )
    .join(", ");
}
