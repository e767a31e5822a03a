/** @module What is built, and so published, is what the packages offer and what that needs: no file for tests alone. */
import { describe, expect, test } from "vitest";
import { importsOf, resolveRelative, type SourceFile } from "./imports.ts";
import { filesUnder, packageSources, textOf } from "./sources.ts";

const PACKAGES = ["onnxgrad", "subband"];
/** What `bin/subband.js` loads, which is no export. */
const COMMAND = "subband/cli/main.ts";
/** `new URL("./thread", import.meta.url)`: the file of a thread, whose ending the host adds. */
const THREAD = /\bnew URL\(\s*"(\.\/[\w-]+)",\s*import\.meta\.url/g;

const keyOf = ({ packageName, path }: Pick<SourceFile, "packageName" | "path">) => `${packageName}/${path}`;

/** Sources that none of the `entries` needs. */
function unreached(sources: readonly SourceFile[], entries: readonly string[]): string[] {
  const files = new Map(sources.map((file) => [keyOf(file), file]));
  const reached = new Set<string>();
  const visit = (key: string): void => {
    const file = files.get(key);
    if (file === undefined || reached.has(key)) return;
    reached.add(key);
    const imported = importsOf(file.text).map(({ specifier }) => specifier);
    const threads = [...file.text.matchAll(THREAD)].map(([, name]) => `${name}.ts`);
    for (const specifier of [...imported, ...threads]) {
      const path = resolveRelative(file.path, specifier);
      if (path !== undefined) visit(keyOf({ packageName: file.packageName, path }));
    }
  };
  entries.forEach(visit);
  return [...files.keys()].filter((key) => !reached.has(key));
}

/** The sources behind the `exports` of a package. */
function exportsOf(name: string): string[] {
  const { exports } = JSON.parse(textOf(`packages/${name}/package.json`)) as {
    readonly exports: Readonly<Record<string, { readonly "@subband/source": string }>>;
  };
  return Object.values(exports).map((entry) => entry["@subband/source"].replace("./src", name));
}

describe("the files that are built", () => {
  test("are all needed by what the packages offer", () => {
    const entries = [...PACKAGES.flatMap(exportsOf), COMMAND];
    const left = unreached(packageSources(), entries);
    expect(left, "only tests import these: name them *.testing.ts, or delete them").toEqual([]);
  });

  test("leave out *.test.ts and *.testing.ts, and so do the packages", () => {
    for (const name of PACKAGES) {
      const { exclude } = JSON.parse(textOf(`packages/${name}/tsconfig.json`)) as { exclude: string[] };
      const { files } = JSON.parse(textOf(`packages/${name}/package.json`)) as { files: string[] };
      const patterns = ["src/**/*.test.ts", "src/**/*.testing.ts"];
      expect(exclude, name).toEqual(patterns);
      expect(files, name).toEqual(expect.arrayContaining(patterns.map((pattern) => `!${pattern}`)));
    }
  });

  test("none of what is named *.testing.ts is left over", () => {
    const testing = filesUnder("packages").filter((path) => path.endsWith(".testing.ts"));
    const readers = [...filesUnder("packages"), ...filesUnder("tests")].filter((path) =>
      path.endsWith(".ts"),
    );
    const texts = readers.map((path) => [path, textOf(path)] as const);
    const unused = testing.filter((path) => {
      const name = path.split("/").at(-1)!;
      return !texts.some(([other, text]) => other !== path && text.includes(`/${name}"`));
    });
    expect(unused).toEqual([]);
  });
});

describe("unreached()", () => {
  const source = (path: string, text: string): SourceFile => ({ packageName: "p", path, text });
  const sources = [
    source("index.ts", 'export { a } from "./a.ts";\n'),
    source("a.ts", 'import type { B } from "./room/b.ts";\nnew URL("./thread", import.meta.url);\n'),
    source("room/b.ts", 'import { a } from "../a.ts";\n'),
    source("thread.ts", ""),
    source("room/alone.ts", 'import { a } from "../a.ts";\n'),
  ];

  test("follows imports, types and threads, and names the rest", () => {
    expect(unreached(sources, ["p/index.ts"])).toEqual(["p/room/alone.ts"]);
  });
});
