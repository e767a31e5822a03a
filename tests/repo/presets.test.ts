/** @module A preset is a folder, a row and a page: nothing else knows it by name, and no preset imports another. */
import { describe, expect, test } from "vitest";
import { presets } from "../../packages/subband/src/systems/presets.ts";
import { importsOf, resolveRelative } from "./imports.ts";
import { filesUnder, packageSources, textOf } from "./sources.ts";

const names = presets.map(({ name }) => name);
const sources = packageSources().filter(({ packageName }) => packageName === "subband");

/** Files that say a name and mean something else. */
const OTHER_MEANING: Readonly<Record<string, string>> = {
  "cli/study.ts": "`study local` compares denoisers of either kind",
  "systems/parts/local/model.ts": "model files tell the two kinds of local models apart by these words",
};

/** The preset whose folder a file lies in. */
function folderOf(path: string): string | undefined {
  const [room, folder] = path.split("/");
  return room === "systems" && names.includes(folder!) ? folder : undefined;
}

describe.each(names)("preset %s", (name) => {
  test("is called by its name in its folder only", () => {
    const literal = new RegExp(`"${name}"`);
    const elsewhere = sources
      .filter(({ path, text }) => literal.test(withoutComments(text)) && folderOf(path) !== name)
      .map(({ path }) => path)
      .filter((path) => !Object.hasOwn(OTHER_MEANING, path));
    expect(elsewhere).toEqual([]);
  });

  test("imports no other preset", () => {
    const others = sources
      .filter(({ path }) => folderOf(path) === name)
      .flatMap(({ path, text }) =>
        importsOf(text).flatMap(({ specifier }) => {
          const target = resolveRelative(path, specifier);
          const other = target === undefined ? undefined : folderOf(target);
          return other === undefined || other === name ? [] : [`${path} imports ${specifier}`];
        }),
      );
    expect(others).toEqual([]);
  });

  test("is on a page of the docs", () => {
    const pages = filesUnder("docs/systems").filter((page) =>
      new RegExp(`(?:\`|--preset )${name}(?:\`|\\s)`).test(textOf(page)),
    );
    expect(pages).not.toEqual([]);
  });
});

test("parts of several presets import none of them", () => {
  const parts = sources.filter(({ path }) => path.startsWith("systems/parts/"));
  for (const { path, text } of parts)
    for (const { specifier } of importsOf(text)) {
      const target = resolveRelative(path, specifier);
      expect(target && folderOf(target), `${path} imports ${specifier}`).toBeFalsy();
    }
});

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[^]*?\*\//g, "").replaceAll(/\/\/.*/g, "");
}
