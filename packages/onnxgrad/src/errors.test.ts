import { describe, expect, test } from "vitest";
import { GraphError, printable, printableJson, quoteName, unknownName, UserError } from "./errors.ts";

const chars = (...codes: number[]) => String.fromCodePoint(...codes);

describe("printable()", () => {
  test("keeps letters, accents, marks and emoji of any script", () => {
    const text = `conv1/Weight:0 naïve été 重み ${chars(0x1f600)} e${chars(0x301)} a\\b "q"`;
    expect(printable(text)).toBe(text);
  });

  test.each([
    ["a line break", "a\nb\r", String.raw`a\nb\x0d`],
    ["an escape sequence", `${chars(0x1b)}[2J`, String.raw`\x1b[2J`],
    ["a sequence of one character", `${chars(0x9b)}31m`, String.raw`\x9b31m`],
    ["a bell and a rubout", chars(7, 0x7f), String.raw`\x07\x7f`],
    ["an order from right to left", `gnp${chars(0x202e)}.exe`, String.raw`gnp\u202e.exe`],
    ["an isolate", chars(0x2066, 0x2069), String.raw`\u2066\u2069`],
    ["what takes no room", `a${chars(0x200b)}b${chars(0xfeff)}`, String.raw`a\u200bb\ufeff`],
    ["a line separator", chars(0x2028), String.raw`\u2028`],
    ["half a pair", "\ud800", String.raw`\ud800`],
    ["a tag", chars(0xe0041), String.raw`\u{e0041}`],
  ])("writes out %s", (_, text, shown) => {
    expect(printable(text)).toBe(shown);
  });
});

describe("quoteName()", () => {
  test("quotes, and cuts a name without end", () => {
    expect(quoteName("a\nb")).toBe(String.raw`"a\nb"`);
    expect(quoteName("x".repeat(1e6))).toBe(`"${"x".repeat(120)}..."`);
  });
});

describe("unknownName()", () => {
  test("shows the word as it may be shown", () => {
    expect(unknownName("layer", "\u001b[31mconv", ["conv"]).message).toBe(
      String.raw`unknown layer: "\x1b[31mconv". Known: conv.`,
    );
  });
});

describe("printableJson()", () => {
  test("is printable, and the same to a parser", () => {
    const value = { [`a${chars(0x1b, 0x9b)}`]: [chars(0x202e, 0x7f, 0xe0041), "\n", 1, null] };
    const text = printableJson(value);
    expect(printable(text)).toBe(text);
    expect(JSON.parse(text)).toEqual(value);
  });
});

describe("UserError", () => {
  test("is one printable line, whatever names are in it", () => {
    const { message, code } = new UserError("a/b", `no such file: "a\nb${chars(0x1b)}[2J". \n Mend it.`);
    expect(message).toBe(String.raw`no such file: "a b\x1b[2J". Mend it.`);
    expect(code).toBe("a/b");
    expect(new GraphError(`conv at ${chars(0x202e)}.`).message).toBe(String.raw`conv at \u202e.`);
  });
});
