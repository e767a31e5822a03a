/** @module The written word: links and anchors resolve, every source says what it is, and nothing forbidden is named. */
import { existsSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "vitest";
import { anchorsOf, linksOf, slugOf } from "./markdown.ts";
import { filesUnder, ROOT, textOf } from "./sources.ts";

const files = filesUnder("");
const documents = files.filter((path) => path.endsWith(".md"));
const sources = files.filter((path) => /^(?:packages|bench|examples|tests|tools)\/.+\.[jt]sx?$/.test(path));

/** Opens a file: a doc comment whose first word is `@module`, followed by at least one sentence. */
const MODULE_HEADER = /^(?:#!.*\n)?\/\*\*\s+(?:\*\s+)?@module\s+\S/;

const FORBIDDEN: readonly [what: string, pattern: RegExp, remedy: string][] = [
  ["Math.random", /\bMath\s*\.\s*random\b/, 'use rng(seed, "purpose", index) from "onnxgrad"'],
  [
    "a registry host",
    /https?:\/\/[^\s"'`)/]*registry/i,
    "ask the npm client, which knows the user's registry",
  ],
];

/** What is wrong with the internal links of one document, one line each. `exists` and `read` take root-relative paths. */
function brokenLinks(
  path: string,
  markdown: string,
  exists: (path: string) => boolean,
  read: (path: string) => string,
): string[] {
  return linksOf(markdown).flatMap(({ target, line }) => {
    if (/^(?:[a-z][a-z\d+.-]*:|\/\/)/i.test(target)) return [];
    const [file = "", anchor = ""] = target.split("#");
    const resolved = file === "" ? path : normalize(join(dirname(path), decodeURIComponent(file)));
    const where = `${path}:${line}: link "${target}"`;
    if (resolved.startsWith("..") || file.startsWith("/"))
      return [`${where} leaves the repository or is absolute: write it relative to the document.`];
    if (file !== "" && !exists(resolved)) return [`${where}: there is no ${resolved}.`];
    if (anchor === "" || !resolved.endsWith(".md")) return [];
    const anchors = anchorsOf(file === "" ? markdown : read(resolved));
    return anchors.has(decodeURIComponent(anchor))
      ? []
      : [`${where}: ${resolved} has no such anchor. Known: ${[...anchors].join(", ")}.`];
  });
}

describe("the documents", () => {
  test("are found", () => {
    expect(documents).toEqual(
      expect.arrayContaining(["CHANGELOG.md", "CONTRIBUTING.md", "docs/architecture.md"]),
    );
  });

  test("have no broken internal link or anchor", () => {
    const broken = documents.flatMap((path) =>
      brokenLinks(path, textOf(path), (each) => existsSync(join(ROOT, each)), textOf),
    );
    expect(broken.join("\n")).toBe("");
  });
});

describe("the sources", () => {
  test("open with /** @module: what the file is, and where it sits", () => {
    const silent = sources
      .filter((path) => !/\.test\.[jt]sx?$/.test(path))
      .filter((path) => !MODULE_HEADER.test(textOf(path)))
      .map((path) => `${path}: open it with "/** @module One to four sentences: what it is. */"`);
    expect(silent.join("\n")).toBe("");
  });

  test("of the packages name no forbidden thing", () => {
    const found = sources
      .filter((path) => path.startsWith("packages/"))
      .flatMap((path) =>
        textOf(path)
          .split("\n")
          .flatMap((line, i) =>
            FORBIDDEN.filter(([, pattern]) => pattern.test(line)).map(
              ([what, , remedy]) => `${path}:${i + 1}: ${what}: ${remedy}.`,
            ),
          ),
      );
    expect(found.join("\n")).toBe("");
  });
});

describe("linksOf()", () => {
  test("sees inline, picture, reference and HTML links with their lines, and none in code or comments", () => {
    const markdown = [
      'See [a](a.md), ![b](<b c.png>) and [![d](d.svg)](e.md#f "title").',
      "[ref]: g.md",
      '<img width="3" src="h.png"> `[no](no.md)` <!-- [no](no.md) -->',
      "```",
      "[no](no.md)",
      "```",
      "[i](#i_(j))",
    ].join("\n");
    expect(linksOf(markdown).map(({ target, line }) => `${line} ${target}`)).toEqual([
      "1 a.md",
      "1 b c.png",
      "1 d.svg",
      "1 e.md#f",
      "2 g.md",
      "3 h.png",
      "7 #i_(j)",
    ]);
  });
});

describe("anchorsOf()", () => {
  // Anchors as GitHub renders them.
  test.each([
    ["Install & run", "install--run"],
    ["`dwt2()` / `idwt2()`", "dwt2--idwt2"],
    ["1.2 The [low band](x.md)", "12-the-low-band"],
    ["Fréchet distance, snake_case", "fréchet-distance-snake_case"],
  ])("slugs %s", (heading, slug) => {
    expect(slugOf(heading)).toBe(slug);
  });

  test("numbers repeated headings, reads underlined ones and ids, and skips code", () => {
    const markdown = '# A\n\n## A\n\nB\n===\n\n<a id="c"></a>\n\n```sh\n# no\n```\n\n| x |\n|---|\n';
    expect([...anchorsOf(markdown)]).toEqual(["a", "a-1", "b", "c"]);
  });
});

describe("brokenLinks()", () => {
  const read = (): string => "# Part\n";
  const exists = (path: string): boolean => path === "docs/there.md";

  test("passes links that resolve, and web addresses, which need a network", () => {
    const markdown =
      "# Own\n[a](there.md) [b](there.md#part) [c](#own) [d](https://example.com/x#y) [e](mailto:a@b.c)";
    expect(brokenLinks("docs/x.md", markdown, exists, read)).toEqual([]);
  });

  test("names document, line, target and remedy of each that does not", () => {
    const markdown = "\n[a](gone.md)\n[b](there.md#gone)\n[c](#gone)\n[d](../../out.md)\n[e](/docs/there.md)";
    expect(brokenLinks("docs/x.md", markdown, exists, read)).toEqual([
      'docs/x.md:2: link "gone.md": there is no docs/gone.md.',
      'docs/x.md:3: link "there.md#gone": docs/there.md has no such anchor. Known: part.',
      'docs/x.md:4: link "#gone": docs/x.md has no such anchor. Known: .',
      'docs/x.md:5: link "../../out.md" leaves the repository or is absolute: write it relative to the document.',
      'docs/x.md:6: link "/docs/there.md" leaves the repository or is absolute: write it relative to the document.',
    ]);
  });
});

describe("FORBIDDEN", () => {
  test.each([
    ["const x = Math.random();", true],
    ["fetch('https://npm-registry.example/x')", true],
    ["const registry = ops.registry.get(name);", false],
    ["math.randomNormal()", false],
  ])("judges %s", (line, forbidden) => {
    expect(FORBIDDEN.some(([, pattern]) => pattern.test(line))).toBe(forbidden);
  });
});
