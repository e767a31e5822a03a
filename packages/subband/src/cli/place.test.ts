import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createLook, type Place } from "./place.ts";

let dir: string;
const at = (name: string): string => join(dir, name);
const see = (path: string): Place => createLook()(path);
const identity = (name: string): string => see(at(name)).identity;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "subband-place-")));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("createLook()", () => {
  test("one file is one, by whatever name it goes", () => {
    writeFileSync(at("a.png"), "");
    mkdirSync(at("folder"));
    linkSync(at("a.png"), at("folder/hard.png"));
    symlinkSync("../a.png", at("folder/soft.png"));
    symlinkSync("folder", at("way"));
    const names = [
      "a.png",
      "./a.png",
      "folder/hard.png",
      "folder/soft.png",
      "way/soft.png",
      "folder/../a.png",
    ];
    expect(new Set(names.map((name) => see(`${dir}/${name}`).identity)).size).toBe(1);
    writeFileSync(at("b.png"), "");
    expect(identity("b.png")).not.toBe(identity("a.png"));
  });

  test("so is one that does not exist: by letters, accents, and folders that are links", () => {
    mkdirSync(at("folder"));
    symlinkSync("folder", at("way"));
    for (const [one, other] of [
      ["folder/new/x.png", "way/new/x.png"],
      ["X.PNG", "x.png"],
      ["\u00e9.png", "e\u0301.png"],
      ["\u00c9.png", "e\u0301.png"],
      ["ﬁ.png", "FI.png"],
      ["straße.png", "STRASSE.png"],
      ["new/./x.png", "new/x.png"],
      ["new/../x.png", "x.png"],
    ] as const)
      expect(see(`${dir}/${one}`).identity, `${one} ${other}`).toBe(see(`${dir}/${other}`).identity);
    expect(identity("x.png")).not.toBe(identity("y.png"));
    expect(identity("folder/x.png")).not.toBe(identity("x.png"));
  });

  test("says why no file can be written", () => {
    writeFileSync(at("file"), "");
    mkdirSync(at("folder"));
    execFileSync("mkfifo", [at("pipe")]);
    symlinkSync("nowhere", at("dangling"));
    symlinkSync("/dev/full", at("full"));
    symlinkSync("round", at("loop"));
    symlinkSync("loop", at("round"));
    for (const [path, why] of [
      ["", "the name is empty"],
      [".", "it is the name of a folder"],
      ["/", "it is the name of a folder"],
      [`${at("x.png")}/`, "it is the name of a folder"],
      [at("folder"), "it is a folder, no file"],
      [at("pipe"), "it is a pipe, no file"],
      ["/dev/null", "it is a device, no file"],
      [at("full"), "it is a device, no file"],
      [at("dangling"), "it is a dangling link, no file"],
      [at("loop"), "links lead in a circle (ELOOP)"],
      [at("loop/x.png"), "links lead in a circle (ELOOP)"],
      [at("n".repeat(256)), "a name takes 255 bytes at most (ENAMETOOLONG)"],
      [at(`${"ü".repeat(130)}/x.png`), "a name takes 255 bytes at most (ENAMETOOLONG)"],
      [at("a/".repeat(3000) + "x.png"), "its path is too long (ENAMETOOLONG)"],
      [at("file/x.png"), `"${at("file")}" is a file, no folder`],
      [at("file/new/x.png"), `"${at("file")}" is a file, no folder`],
    ] as const)
      expect(see(path).refusal, path.slice(0, 80)).toBe(why);
    for (const path of [at("file"), at("new.png"), at("new/er/x.png"), at("line\nbreak.png")])
      expect(see(path).refusal, path).toBeUndefined();
  });

  test("permissions are respected, by whoever has to", ({ skip }) => {
    if (process.getuid?.() === 0) skip();
    mkdirSync(at("closed"), { mode: 0o500 });
    writeFileSync(at("kept.png"), "", { mode: 0o400 });
    expect(see(at("closed/x.png")).refusal).toBe(`the folder "${at("closed")}" is not writable`);
    expect(see(at("kept.png")).refusal).toBe("it is read-only");
  });

  test("finds the run or the model around it, through links, and no other program's run.json", () => {
    mkdirSync(at("run/deep"), { recursive: true });
    writeFileSync(at("run/run.json"), "torn");
    symlinkSync("run/deep", at("way"));
    symlinkSync("run/run.json", at("link"));
    const home = { kind: "run", folder: at("run") };
    expect(see(at("run/run.json")).home).toEqual({ ...home, within: "run.json" });
    expect(see(at("run/new/x.png")).home).toEqual({ ...home, within: "new/x.png" });
    expect(see(at("way/x.png")).home).toEqual({ ...home, within: "deep/x.png" });
    expect(see(at("link")).home).toEqual({ ...home, within: "run.json" });
    mkdirSync(at("other"));
    writeFileSync(at("other/run.json"), '{"scripts":{}}');
    expect(see(at("other/x.png")).home).toBeUndefined();
    mkdirSync(at("model"));
    writeFileSync(at("model/model.safetensors"), "");
    expect(see(at("model/x.png")).home).toEqual({ kind: "model", folder: at("model"), within: "x.png" });
    writeFileSync(at("model/photo.png"), "");
    expect(see(at("model/x.png")).home).toBeUndefined();
  });
});
