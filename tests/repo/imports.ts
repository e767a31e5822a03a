/**
 * @module What a source file imports, and the cycles among files, read from the text: TypeScript 7 has no compiler
 * API to ask. It relies on Prettier's layout, in which an import or re-export statement begins a line.
 */

/** One source file of a package. */
export interface SourceFile {
  /** Name of the package it belongs to, e.g. `subband`. */
  readonly packageName: string;
  /** Path below the package's `src/`, with forward slashes, e.g. `wavelet/haar.ts`. */
  readonly path: string;
  readonly text: string;
}

/** One thing a file imports. */
export interface Import {
  /** As written: `./x.ts`, `node:fs`, `onnxgrad/node`. */
  readonly specifier: string;
  /** True for `import type` and `export type`: erased, so it cannot take part in a cycle at run time. */
  readonly typeOnly: boolean;
}

const IMPORT_FROM = /^import\s+(type\s+)?(?!type\s)[\w$*{}\s,]+?\s+from\s+"([^"]+)"/gm;
const IMPORT_BARE = /^import\s+"([^"]+)"/gm;
const EXPORT_FROM = /^export\s+(type\s+)?(?:\*(?:\s+as\s+\w+)?|\{[^}]*\})\s+from\s+"([^"]+)"/gm;
/** `import("x")`, `require("x")`, `require.resolve("x")`; the type `import("x").T` counts as a value, for safety. */
const CALL = /\b(?:import|require|require\.resolve)\(\s*"([^"]+)"\s*\)/g;
/** A worker or data file beside the source. */
const URL_OF = /\bnew URL\(\s*"(\.[^"]+\.ts)",\s*import\.meta\.url/g;
const COMMENT_LINE = /^\s*(?:\*|\/\/|\/\*).*$/gm;

/** Everything that `text` imports, in the order of the kinds above; a specifier may occur twice. */
export function importsOf(text: string): Import[] {
  const code = text.replaceAll(COMMENT_LINE, "");
  const found: Import[] = [];
  for (const pattern of [IMPORT_FROM, EXPORT_FROM])
    for (const match of code.matchAll(pattern))
      found.push({ specifier: match[2]!, typeOnly: match[1] !== undefined });
  for (const pattern of [IMPORT_BARE, CALL, URL_OF])
    for (const match of code.matchAll(pattern)) found.push({ specifier: match[1]!, typeOnly: false });
  return found;
}

/** `specifier` seen from `path`, as a path below the same `src/`; undefined when it is not relative. */
export function resolveRelative(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///src/${path}`).pathname.replace(/^\/src\//, "");
}

/**
 * One cycle for every file at which a depth-first walk over value imports closes a loop, as the list of files along
 * it, first file repeated at the end. Type-only imports are left out: they are gone at run time.
 */
export function importCycles(files: readonly SourceFile[]): string[][] {
  const targets = new Map<string, string[]>();
  for (const file of files) {
    const next = importsOf(file.text)
      .filter((each) => !each.typeOnly)
      .map((each) => resolveRelative(file.path, each.specifier))
      .filter((path) => path !== undefined);
    targets.set(
      `${file.packageName}/${file.path}`,
      next.map((path) => `${file.packageName}/${path}`),
    );
  }
  const cycles: string[][] = [];
  const finished = new Set<string>();
  const visit = (file: string, trail: string[]): void => {
    if (trail.includes(file)) cycles.push([...trail.slice(trail.indexOf(file)), file]);
    else if (!finished.has(file)) {
      for (const next of targets.get(file) ?? []) visit(next, [...trail, file]);
      finished.add(file);
    }
  };
  for (const file of targets.keys()) visit(file, []);
  return cycles;
}
