/** @module Names of outputs: each picture of a folder gets one of its own, in every file system. */
import { extname } from "node:path";

/** The same for names that some file system takes for one: by letters, by accents. */
export function foldedName(name: string): string {
  return name.normalize("NFKC").toUpperCase().toLowerCase().normalize("NFC");
}

/** Names that are taken, and a way to take the first free one. */
export interface NameClaims {
  /** Takes the first of `candidates` that is free, or the last with a number: `a.png`, else `a.2.png`, `a.3.png`. */
  claim(...candidates: readonly [string, ...string[]]): string;
}

/** Claims, with the names `taken`. */
export function nameClaims(taken: Iterable<string> = []): NameClaims {
  const known = new Set([...taken].map(foldedName));
  const take = (name: string): boolean => {
    const free = !known.has(foldedName(name));
    known.add(foldedName(name));
    return free;
  };
  return {
    claim(...candidates) {
      const free = candidates.find(take);
      if (free !== undefined) return free;
      const last = candidates.at(-1)!;
      const stem = withoutExtension(last);
      for (let number = 2; ; number++) {
        const name = `${stem}.${number}${last.slice(stem.length)}`;
        if (take(name)) return name;
      }
    },
  };
}

/**
 * What each picture of a folder is called in the folder of outputs, in the order of `names`, paths with `/` between parts.
 * PNG and TIFF keep their names, everything else becomes PNG: `a.jpg` becomes `a.png`, or `a.jpg.png` beside another `a`.
 * No two are the same, nor the name of a folder.
 */
export function outputNames(names: readonly string[]): string[] {
  const claims = nameClaims(names.flatMap(foldersAbove));
  const rivals = new Map<string, number>();
  for (const name of names.map(stemOf)) rivals.set(name, (rivals.get(name) ?? 0) + 1);
  const found = new Map<string, string>();
  for (const name of names) if (keepsName(name)) found.set(name, claims.claim(name));
  for (const name of names)
    if (!keepsName(name)) {
      const long = `${name}.png`;
      const alone = rivals.get(stemOf(name)) === 1;
      found.set(name, alone ? claims.claim(`${withoutExtension(name)}.png`, long) : claims.claim(long));
    }
  return names.map((name) => found.get(name)!);
}

/** `a/b` of `a/b.png`. */
export function withoutExtension(name: string): string {
  return name.slice(0, name.length - extname(name).length);
}

function keepsName(name: string): boolean {
  return /^\.(?:png|tiff?)$/i.test(extname(name));
}

function stemOf(name: string): string {
  return foldedName(withoutExtension(name));
}

function foldersAbove(name: string): string[] {
  const parts = name.split("/");
  return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join("/"));
}
