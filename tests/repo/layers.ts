/**
 * @module Which room may import which: the table, and the check that reads it. A room is a folder (or a single file) in a
 * package's `src/`; a folder in it may be a room of its own (`runtime/node`). `docs/architecture.md` says what belongs in
 * each. Imports point down the list.
 */
import { builtinModules } from "node:module";
import { importsOf, resolveRelative, type SourceFile } from "./imports.ts";

/** What one room may do. */
export interface Room {
  /** Rooms of the same package it may import, besides itself. */
  readonly imports: readonly string[];
  /** Rooms above, of which it may import types only: erased at run time, so it still runs without them. */
  readonly types?: readonly string[];
  /** True where the code must run in a browser: no Node builtins, no Node or DOM globals, no npm packages. */
  readonly portable: boolean;
}

/** An npm package that only some files may touch. */
export interface Guard {
  readonly packageName: string;
  /** Matched against the whole import specifier. */
  readonly specifier: RegExp;
  /** Matched against the importing file's path below `src/`. */
  readonly allowed: RegExp;
  readonly why: string;
}

/** Rooms of every package, from the bottom up. `index.ts` is each package's table of contents: it may import all. */
export const ROOMS: Readonly<Record<string, Readonly<Record<string, Room>>>> = {
  onnxgrad: {
    "errors.ts": { portable: true, imports: [] },
    "turns.ts": { portable: true, imports: ["errors.ts"] },
    "slices.ts": { portable: true, imports: [] },
    random: { portable: true, imports: ["errors.ts"] },
    // A tensor holds the declaration of the operation that made it, whose type lives with the operations.
    trace: { portable: true, imports: ["errors.ts"], types: ["ops"] },
    ops: { portable: true, imports: ["errors.ts", "trace"] },
    grad: { portable: true, imports: ["errors.ts", "trace", "ops"] },
    passes: { portable: true, imports: ["errors.ts", "slices.ts", "trace", "ops"] },
    parallel: { portable: true, imports: ["errors.ts", "slices.ts", "trace", "ops", "passes"] },
    onnx: { portable: true, imports: ["errors.ts", "slices.ts", "trace", "ops", "passes"] },
    optim: { portable: true, imports: ["errors.ts", "trace", "ops", "grad"] },
    interpret: { portable: true, imports: ["errors.ts", "trace", "ops", "passes"] },
    // A buffer of the state may be on a device, whose type is part of the seam to ONNX Runtime.
    "runtime/state": {
      portable: true,
      imports: ["errors.ts", "turns.ts", "slices.ts", "trace", "ops"],
      types: ["runtime"],
    },
    runtime: {
      portable: true,
      imports: [
        "errors.ts",
        "turns.ts",
        "slices.ts",
        "trace",
        "ops",
        "passes",
        "parallel",
        "onnx",
        "runtime/state",
      ],
    },
    "runtime/threads": { portable: false, imports: ["errors.ts"] },
    "runtime/node": {
      portable: false,
      imports: ["errors.ts", "turns.ts", "slices.ts", "trace", "ops", "onnx", "runtime", "runtime/threads"],
    },
    "runtime/web": { portable: false, imports: ["errors.ts", "turns.ts", "ops", "onnx", "runtime"] },
    testing: {
      portable: true,
      imports: ["errors.ts", "random", "trace", "ops", "grad", "passes", "interpret"],
    },
  },
  subband: {
    wavelet: { portable: true, imports: [] },
    spectrum: { portable: true, imports: ["wavelet"] },
    "linear-algebra": { portable: true, imports: [] },
    images: { portable: true, imports: [] },
    data: { portable: false, imports: ["images"] },
    nn: { portable: true, imports: ["wavelet"] },
    diffusion: { portable: true, imports: ["wavelet", "spectrum"] },
    systems: { portable: true, imports: ["wavelet", "spectrum", "images", "nn", "diffusion"] },
    drawing: { portable: true, imports: ["nn", "diffusion", "systems"] },
    loop: { portable: true, imports: ["images", "systems", "drawing"] },
    training: {
      portable: false,
      imports: ["wavelet", "spectrum", "images", "data", "nn", "diffusion", "systems", "drawing", "loop"],
    },
    interop: { portable: false, imports: ["nn", "systems"] },
    "evaluation/metrics": { portable: true, imports: ["linear-algebra"] },
    "evaluation/features": { portable: true, imports: ["systems"] },
    "evaluation/pictures": {
      portable: true,
      imports: ["wavelet", "systems", "drawing", "evaluation/metrics"],
    },
    evaluation: {
      portable: false,
      imports: [
        "linear-algebra",
        "evaluation/metrics",
        "evaluation/features",
        "evaluation/pictures",
        "wavelet",
        "spectrum",
        "images",
        "data",
        "nn",
        "diffusion",
        "systems",
        "drawing",
        "loop",
        "training",
      ],
    },
    restoration: {
      portable: false,
      imports: [
        "wavelet",
        "spectrum",
        "images",
        "data",
        "nn",
        "diffusion",
        "systems",
        "drawing",
        "loop",
        "training",
        "evaluation",
      ],
    },
    studies: {
      portable: false,
      imports: [
        "wavelet",
        "spectrum",
        "images",
        "data",
        "nn",
        "diffusion",
        "systems",
        "drawing",
        "loop",
        "training",
        "evaluation",
      ],
    },
    // The table of contents of what needs Node.
    "node.ts": {
      portable: false,
      imports: [
        "images",
        "systems",
        "data",
        "training",
        "evaluation/features",
        "evaluation",
        "interop",
        "restoration",
      ],
    },
    cli: {
      portable: false,
      imports: [
        "wavelet",
        "spectrum",
        "images",
        "data",
        "nn",
        "diffusion",
        "systems",
        "drawing",
        "loop",
        "training",
        "interop",
        "evaluation/features",
        "evaluation",
        "restoration",
        "studies",
      ],
    },
  },
};

/** npm packages and files that may meet only in one place. */
export const GUARDS: readonly Guard[] = [
  {
    packageName: "onnxgrad",
    specifier: /^onnxruntime-node(?:\/|$)/,
    allowed: /^runtime\/node\//,
    why: "only runtime/node/ imports onnxruntime-node",
  },
  {
    packageName: "onnxgrad",
    specifier: /^onnxruntime-(?!node(?:\/|$))/,
    allowed: /^runtime\/web\//,
    why: "only runtime/web/ imports onnxruntime-web",
  },
  {
    packageName: "onnxgrad",
    specifier: /^(?:onnx-buf|@bufbuild\/protobuf)(?:\/|$)/,
    allowed: /^onnx\//,
    why: "only onnx/ knows the protobuf format",
  },
  {
    packageName: "onnxgrad",
    specifier: /^node:/,
    allowed: /^runtime\/(?:node|threads)\//,
    why: "all of onnxgrad but runtime/node/ and runtime/threads/ runs in a browser",
  },
  {
    packageName: "subband",
    specifier: /^zod$/,
    allowed:
      /^(?!(?:wavelet|spectrum|images|nn|diffusion|systems)\/)|^systems\/(?:preset|[\w-]+\/preset|parts\/schemas)\.ts$/,
    why: "a page that draws with a system loads no schemas: only presets have them",
  },
  {
    packageName: "subband",
    specifier: /^onnxruntime-|^(?:onnx-buf|@bufbuild\/protobuf)(?:\/|$)/,
    allowed: /^$/,
    why: "ONNX Runtime is reached through onnxgrad, never directly",
  },
];

/** Packages a portable room may import: they run in a browser themselves. */
const PORTABLE_PACKAGES: readonly string[] = ["onnxgrad", "onnx-buf", "@bufbuild/protobuf", "zod"];

/** Node and DOM globals, as they are used in code: a local called `window` (a Hann window, say) is no offence. */
const HOST_GLOBAL =
  /(?<![\w$.])(?:process\.\w|Buffer\.\w|__dirname\b|__filename\b|require\(|document\.\w|localStorage\b|navigator\.\w|window\.(?:document|location|navigator|addEventListener)\b)/;

/** Every breach of the table among `files`, one line each: file, what it imports, the rule, the remedy. */
export function layerViolations(
  files: readonly SourceFile[],
  rooms: Readonly<Record<string, Readonly<Record<string, Room>>>> = ROOMS,
): string[] {
  return files.flatMap((file) => {
    const known = rooms[file.packageName] ?? {};
    const roomName = roomOf(file.path, known);
    if (roomName === "index.ts") return [];
    const room = known[roomName];
    const where = `packages/${file.packageName}/src/${file.path}`;
    if (room === undefined)
      return [
        `${where}: unknown room "${roomName}" of ${file.packageName}. Move the file into ` +
          `${Object.keys(known).join(", ")}, or add the room to tests/repo/layers.ts and ` +
          `docs/architecture.md.`,
      ];
    const breaches = importsOf(file.text).flatMap(({ specifier, typeOnly }) => {
      const target = resolveRelative(file.path, specifier);
      const rule =
        target === undefined
          ? packageRule(file, roomName, room, specifier)
          : roomRule(roomName, known, target, typeOnly);
      return rule === undefined ? [] : [`${where}: imports "${specifier}": ${rule}`];
    });
    return room.portable ? [...breaches, ...hostGlobals(where, roomName, file.text)] : breaches;
  });
}

/** Every npm package which a file imports and its own package.json does not declare, one line each. */
export function undeclaredDependencies(
  files: readonly SourceFile[],
  declared: Readonly<Record<string, readonly string[]>>,
): string[] {
  return files.flatMap((file) =>
    importsOf(file.text)
      .filter(({ specifier }) => isPackage(specifier))
      .filter(({ specifier }) => !declared[file.packageName]?.includes(packageOf(specifier)))
      .map(
        ({ specifier }) =>
          `packages/${file.packageName}/src/${file.path}: imports "${specifier}", which ` +
          `packages/${file.packageName}/package.json does not declare: add it to dependencies ` +
          `(npm i -w ${file.packageName} ${packageOf(specifier)}) or drop the import.`,
      ),
  );
}

/**
 * The innermost of the `known` rooms that a file lies in; else the first part of its path. Cases of the op table stand beside
 * the operations.
 */
function roomOf(path: string, known: Readonly<Record<string, Room>>): string {
  if (path.endsWith(".cases.ts")) return "testing";
  const parts = path.split("/");
  const paths = parts.map((_, i) => parts.slice(0, i + 1).join("/"));
  return paths.findLast((each) => Object.hasOwn(known, each)) ?? parts[0]!;
}

/** `@scope/name` or `name` of a specifier with or without a subpath. */
function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function isBuiltin(specifier: string): boolean {
  return specifier.startsWith("node:") || builtinModules.includes(packageOf(specifier));
}

function isPackage(specifier: string): boolean {
  return !specifier.startsWith(".") && !isBuiltin(specifier);
}

/** The rule which a relative import breaks, or undefined. */
function roomRule(
  from: string,
  known: Readonly<Record<string, Room>>,
  target: string,
  typeOnly: boolean,
): string | undefined {
  if (target.startsWith("..") || target.startsWith("/"))
    return "leaves the package; import siblings by their name.";
  const room = known[from]!;
  const to = roomOf(target, known);
  if (to === from || room.imports.includes(to)) return undefined;
  if (to === "index.ts")
    return "index.ts is for users of the package; import the file that defines the name.";
  if (room.types?.includes(to) === true)
    return typeOnly ? undefined : `${from} may import types of ${to} only: write "import type".`;
  const allowed = room.imports.length === 0 ? "no other room" : `only ${room.imports.join(", ")}`;
  return `${from} may import ${allowed}. Imports point down: move the code, or pass it in as an argument.`;
}

/** The rule which an import of a builtin or an npm package breaks, or undefined. */
function packageRule(file: SourceFile, roomName: string, room: Room, specifier: string): string | undefined {
  const guard = GUARDS.find(
    (each) =>
      each.packageName === file.packageName &&
      each.specifier.test(specifier) &&
      !each.allowed.test(file.path),
  );
  if (guard !== undefined) return `${guard.why}.`;
  if (isBuiltin(specifier) && !specifier.startsWith("node:")) return `write builtins as "node:${specifier}".`;
  if (packageOf(specifier) === file.packageName)
    return "a package does not import itself by name; import the file that defines the name.";
  if (!room.portable) return undefined;
  const portable = PORTABLE_PACKAGES.includes(packageOf(specifier)) && specifier !== "onnxgrad/node";
  return portable
    ? undefined
    : `${roomName} runs in a browser: no Node builtins and of npm packages only ${PORTABLE_PACKAGES.join(", ")}.`;
}

function hostGlobals(where: string, room: string, text: string): string[] {
  return text.split("\n").flatMap((line, i) => {
    const found = /^\s*(?:\*|\/\/|\/\*)/.test(line) ? null : HOST_GLOBAL.exec(line);
    return found === null
      ? []
      : [
          `${where}:${i + 1}: uses "${found[0]}": ${room} runs in Node and browsers alike; pass it in as an argument.`,
        ];
  });
}
