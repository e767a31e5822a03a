/** @module Links and anchors of a Markdown text, with GitHub's rules for the anchors of headings. */

/** One link or picture. */
export interface Link {
  /** As written, without a title: `docs/x.md#part`, `#part`, `https://...`. */
  readonly target: string;
  /** Line of the text, from 1. */
  readonly line: number;
}

/** `[text](target "title")`, `![alt](<target>)`; the text may hold a picture of its own. */
const INLINE = /\]\(\s*(?:<([^>]+)>|([^\s()]+(?:\([^\s()]*\))?))(?:\s+["'][^)]*["'])?\s*\)/g;
const DEFINITION = /^\s{0,3}\[[^\]]+\]:\s*<?([^\s>]+)>?/g;
const HTML = /\s(?:href|src)\s*=\s*"([^"]+)"/g;
const HTML_ANCHOR = /<[^>]*\s(?:id|name)\s*=\s*"([^"]+)"/g;

/** Every link and picture outside of code. */
export function linksOf(markdown: string): Link[] {
  return proseLines(markdown).flatMap((text, i) =>
    [INLINE, DEFINITION, HTML].flatMap((pattern) =>
      [...text.matchAll(pattern)].map((match) => ({ target: (match[1] ?? match[2])!, line: i + 1 })),
    ),
  );
}

/** Every anchor a link can name: headings (a repeated one gets `-1`, `-2`, ...) and `id` or `name` attributes. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  const lines = blankFences(markdown);
  const headings = lines.flatMap((text, i) => {
    const atx = /^ {0,3}#{1,6}\s+(.+?)(?:\s+#+)?\s*$/.exec(text)?.[1];
    const setext = /^ {0,3}(?:=+|-{2,})\s*$/.test(lines[i + 1] ?? "") && /^ {0,3}[^\s|>#*+-]/.test(text);
    return atx ?? (setext ? text.trim() : []);
  });
  for (const heading of headings) {
    const slug = slugOf(heading);
    let unique = slug;
    for (let n = 1; anchors.has(unique); n++) unique = `${slug}-${n}`;
    anchors.add(unique);
  }
  for (const text of proseLines(markdown))
    for (const match of text.matchAll(HTML_ANCHOR)) anchors.add(match[1]!);
  return anchors;
}

/** The anchor of one heading: markup dropped, lower case, punctuation removed, every space a hyphen. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
    .replaceAll(/<[^>]+>/g, "")
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, "")
    .replaceAll(" ", "-");
}

/** Lines with fenced code, inline code and comments blanked, so that numbers of lines stay. */
function proseLines(markdown: string): string[] {
  const withoutComments = markdown.replaceAll(/<!--[\s\S]*?-->/g, (comment) =>
    comment.replaceAll(/[^\n]/g, ""),
  );
  return blankFences(withoutComments).map((line) => line.replaceAll(/(`+)(?!`).*?(?<!`)\1(?!`)/g, ""));
}

/** Lines with fenced code blanked. */
function blankFences(markdown: string): string[] {
  let fence: string | undefined;
  return markdown.split("\n").map((line) => {
    const marker = /^\s*(?:>\s*)*(```+|~~~+)/.exec(line)?.[1];
    if (fence === undefined) {
      fence = marker;
      return marker === undefined ? line : "";
    }
    if (marker?.startsWith(fence) === true && line.trim() === marker) fence = undefined;
    return "";
  });
}

/** A block of code. */
export interface CodeBlock {
  /** The nearest heading above. */
  readonly heading: string;
  /** Empty where none is said. */
  readonly language: string;
  readonly text: string;
}

/** Every fenced block of code, in order. */
export function blocksOf(markdown: string): CodeBlock[] {
  return [...markdown.matchAll(/^```(\w*)\n([^]*?)^```$/gm)].map(({ 1: language, 2: text, index }) => ({
    heading:
      [
        ...blankFences(markdown.slice(0, index))
          .join("\n")
          .matchAll(/^#{1,6} (.+)$/gm),
      ].at(-1)?.[1] ?? "",
    language: language!,
    text: text!,
  }));
}
