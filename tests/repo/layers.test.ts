/** @module Import directions between rooms: the real sources obey the table, and the check sees every kind of breach. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { importCycles, importsOf, resolveRelative, type SourceFile } from "./imports.ts";
import { layerViolations, ROOMS, undeclaredDependencies } from "./layers.ts";
import { packageSources, ROOT, textOf } from "./sources.ts";

const sources = packageSources();

/** package.json dependencies by package; devDependencies do not reach a user. */
const declared = Object.fromEntries(
  Object.keys(ROOMS).map((name) => {
    const manifest = JSON.parse(textOf(`packages/${name}/package.json`)) as Record<
      string,
      object | undefined
    >;
    return [name, Object.keys({ ...manifest["dependencies"], ...manifest["peerDependencies"] })];
  }),
);

function source(packageName: string, path: string, text: string): SourceFile {
  return { packageName, path, text };
}

describe("the sources", () => {
  test("are found", () => {
    for (const name of Object.keys(ROOMS))
      expect(sources.filter((file) => file.packageName === name).length, name).toBeGreaterThan(0);
  });

  test("import only downwards, between the rooms of tests/repo/layers.ts", () => {
    expect(layerViolations(sources).join("\n")).toBe("");
  });

  test("import only packages which their own package.json declares", () => {
    expect(undeclaredDependencies(sources, declared).join("\n")).toBe("");
  });

  test("have no import cycles between files", () => {
    const cycles = importCycles(sources).map((cycle) => cycle.join(" -> "));
    expect(cycles.join("\n")).toBe("");
  });

  test("have every relative import they name", () => {
    const missing = sources.flatMap((file) =>
      importsOf(file.text)
        .map(({ specifier }) => resolveRelative(file.path, specifier))
        .filter(
          (path) => path !== undefined && !existsSync(join(ROOT, "packages", file.packageName, "src", path)),
        )
        .map(
          (path) => `packages/${file.packageName}/src/${file.path}: imports ${path}, which does not exist`,
        ),
    );
    expect(missing.join("\n")).toBe("");
  });
});

describe("ROOMS", () => {
  test("are all described in docs/architecture.md", () => {
    const page = textOf("docs/architecture.md");
    for (const [name, rooms] of Object.entries(ROOMS))
      for (const room of Object.keys(rooms))
        expect(page, `${name}: ${room} has no heading, table row or mention`).toMatch(
          new RegExp(`^#{3} .*\\b${room}\\b|^\\| \`${room}\`|\`${room}\``, "m"),
        );
  });

  test("names rooms bottom up, so that no room can import one listed after it", () => {
    for (const [name, rooms] of Object.entries(ROOMS)) {
      const below = new Set<string>();
      for (const [room, { imports }] of Object.entries(rooms)) {
        for (const target of imports) expect(below, `${name}: ${room} -> ${target}`).toContain(target);
        below.add(room);
      }
    }
  });

  test("lets a portable room import portable rooms only", () => {
    for (const [name, rooms] of Object.entries(ROOMS))
      for (const [room, { imports, portable }] of Object.entries(rooms))
        for (const target of portable ? imports : [])
          expect(rooms[target]?.portable, `${name}: ${room} -> ${target}`).toBe(true);
  });
});

describe("importsOf()", () => {
  test("sees every form of import, over several lines too, and which are types only", () => {
    const text = [
      'import a, { b } from "a";',
      'import type { C } from "c";',
      'import { type D } from "d";',
      "import {",
      "  e,",
      "  type F,",
      '} from "./e.ts";',
      'import * as g from "node:g";',
      'import "h";',
      'export * from "./i.ts";',
      'export type { J } from "./j.ts";',
      'const k = await import("k");',
      'const l = new URL("./l-worker.ts", import.meta.url);',
    ].join("\n");
    const found = importsOf(text).map(({ specifier, typeOnly }) =>
      typeOnly ? `type ${specifier}` : specifier,
    );
    expect(found.sort()).toEqual(
      ["a", "type c", "d", "./e.ts", "node:g", "h", "./i.ts", "type ./j.ts", "k", "./l-worker.ts"].sort(),
    );
  });

  test("passes over comments and strings", () => {
    const text = [
      "/**",
      ' * import { a } from "a";',
      " */",
      '// import("b")',
      'const c = "import x from y";',
    ];
    expect(importsOf(text.join("\n"))).toEqual([]);
  });
});

describe("layerViolations()", () => {
  const cases: [what: string, file: SourceFile, message: RegExp | undefined][] = [
    [
      "a downward import",
      source("subband", "nn/unet.ts", 'import { a } from "../wavelet/haar.ts";'),
      undefined,
    ],
    [
      "an import within the room",
      source("subband", "nn/unet.ts", 'import { a } from "./init.ts";'),
      undefined,
    ],
    ["a portable sibling", source("subband", "nn/unet.ts", 'import { a } from "onnxgrad";'), undefined],
    ["a word in a comment", source("subband", "nn/unet.ts", "// see process.env"), undefined],
    ["a local called window", source("subband", "spectrum/hann.ts", "const n = window.length;"), undefined],
    [
      "an upward import",
      source("subband", "wavelet/haar.ts", 'import { a } from "../nn/unet.ts";'),
      /^packages\/subband\/src\/wavelet\/haar\.ts: imports "\.\.\/nn\/unet\.ts": wavelet may import no other room/,
    ],
    [
      "an upward import of a type",
      source("onnxgrad", "ops/conv.ts", 'import type { Gradient } from "../grad/walk.ts";'),
      /ops may import only errors\.ts, trace/,
    ],
    [
      "a type from the room that types come from",
      source("onnxgrad", "trace/tensor.ts", 'import type { OpDefinition } from "../ops/define-op.ts";'),
      undefined,
    ],
    [
      "a value from the room that only types come from",
      source("onnxgrad", "trace/tensor.ts", 'import { defineOp } from "../ops/define-op.ts";'),
      /trace may import types of ops only/,
    ],
    [
      "an unknown room",
      source("subband", "helpers/x.ts", ""),
      /unknown room "helpers" of subband\. .* add the room to tests\/repo\/layers\.ts/,
    ],
    [
      "a package's own index",
      source("subband", "cli/train.ts", 'import { a } from "../index.ts";'),
      /import the file that defines the name/,
    ],
    [
      "a path into another package",
      source("subband", "cli/train.ts", 'import { a } from "../../../onnxgrad/src/index.ts";'),
      /leaves the package/,
    ],
    [
      "a Node builtin in a portable room",
      source("subband", "diffusion/heun.ts", 'import { readFileSync } from "node:fs";'),
      /diffusion runs in a browser/,
    ],
    [
      "a Node global in a portable room",
      source("subband", "systems/wmgm.ts", "\nconst debug = process.env.DEBUG;"),
      /wmgm\.ts:2: uses "process\.e": systems runs in Node and browsers alike/,
    ],
    [
      "a native package in a portable room",
      source("subband", "wavelet/haar.ts", 'import sharp from "sharp";'),
      /wavelet runs in a browser/,
    ],
    [
      "the Node runtime in a portable room",
      source("subband", "nn/unet.ts", 'import { node } from "onnxgrad/node";'),
      /nn runs in a browser/,
    ],
    [
      "a bare builtin",
      source("subband", "cli/train.ts", 'import { join } from "path";'),
      /write .* "node:path"/,
    ],
    [
      "onnxruntime outside runtime/node/",
      source("onnxgrad", "runtime/compile.ts", 'import ort from "onnxruntime-node";'),
      /only runtime\/node\//,
    ],
    [
      "the web runtime in the Node one",
      source("onnxgrad", "runtime/node/node.ts", 'import ort from "onnxruntime-web";'),
      /only runtime\/web\//,
    ],
    [
      "its place",
      source("onnxgrad", "runtime/node/node.ts", 'import ort from "onnxruntime-node";'),
      undefined,
    ],
    [
      "cases of an operation beside it",
      source("onnxgrad", "ops/conv.cases.ts", 'import { f } from "../testing/case-inputs.ts";'),
      undefined,
    ],
    [
      "an operation that imports its cases",
      source("onnxgrad", "ops/conv.ts", 'import { convCases } from "./conv.cases.ts";'),
      /^.*ops may import only/,
    ],
    [
      "its place, web",
      source("onnxgrad", "runtime/web/web.ts", 'import ort from "onnxruntime-web/webgpu";'),
      undefined,
    ],
    [
      "a room within a room, from the one around it",
      source("onnxgrad", "runtime/compile.ts", 'import { State } from "./state/state.ts";'),
      undefined,
    ],
    [
      "a room within a room that is not among those allowed",
      source("onnxgrad", "runtime/compile.ts", 'import { node } from "./node/node.ts";'),
      /runtime may import only .*, runtime\/state\./,
    ],
    [
      "the room around from within, values",
      source("onnxgrad", "runtime/state/state.ts", 'import { compile } from "../compile.ts";'),
      /runtime\/state may import types of runtime only/,
    ],
    [
      "the room around from within, types",
      source("onnxgrad", "runtime/state/state.ts", 'import type { Device } from "../backend.ts";'),
      undefined,
    ],
    [
      "a folder that is no room of its own",
      source("subband", "diffusion/samplers/heun.ts", 'import { a } from "../../spectrum/fft.ts";'),
      undefined,
    ],
    [
      "a builtin in the web runtime",
      source("onnxgrad", "runtime/web/web.ts", 'import { join } from "node:path";'),
      /all of onnxgrad but runtime\/node\/ .* runs in a browser/,
    ],
    [
      "onnx-buf outside onnx/",
      source("onnxgrad", "ops/conv.ts", 'import { onnx } from "onnx-buf";'),
      /only onnx\/ knows the protobuf format/,
    ],
    [
      "onnxruntime in subband",
      source("subband", "training/loop.ts", 'import ort from "onnxruntime-node";'),
      /reached through onnxgrad/,
    ],
  ];
  test.each(cases)("judges %s", (_what, file, message) => {
    const found = layerViolations([file]);
    if (message === undefined) expect(found).toEqual([]);
    else {
      expect(found).toHaveLength(1);
      expect(found[0]).toMatch(message);
    }
  });
});

describe("undeclaredDependencies()", () => {
  test("names the package and the remedy, by scope and subpath, and leaves builtins and siblings alone", () => {
    const text = [
      'import a from "@scope/a/sub";',
      'import b from "b/sub";',
      'import fs from "node:fs";',
      'import "./c.ts";',
    ];
    const files = [source("subband", "data/x.ts", text.join("\n"))];
    expect(undeclaredDependencies(files, { subband: ["b"] })).toEqual([
      'packages/subband/src/data/x.ts: imports "@scope/a/sub", which packages/subband/package.json does not ' +
        "declare: add it to dependencies (npm i -w subband @scope/a) or drop the import.",
    ]);
  });
});

describe("importCycles()", () => {
  const chain = [
    source("subband", "nn/a.ts", 'import { b } from "./b.ts";'),
    source("subband", "nn/b.ts", 'import { c } from "../wavelet/c.ts";'),
  ];

  test("finds none in a chain", () => {
    expect(importCycles([...chain, source("subband", "wavelet/c.ts", "")])).toEqual([]);
  });

  test("prints the files along a cycle", () => {
    const closed = [...chain, source("subband", "wavelet/c.ts", 'import { a } from "../nn/a.ts";')];
    expect(importCycles(closed).map((cycle) => cycle.join(" -> "))).toEqual([
      "subband/nn/a.ts -> subband/nn/b.ts -> subband/wavelet/c.ts -> subband/nn/a.ts",
    ]);
  });

  test("leaves out imports of types, which are erased", () => {
    const typed = [...chain, source("subband", "wavelet/c.ts", 'import type { A } from "../nn/a.ts";')];
    expect(importCycles(typed)).toEqual([]);
  });
});
