/**
 * @module Makes the photographs that denoisers are trained and tested on: those of free licence in Debian's packages of
 * backgrounds, made smaller so that they are sharp, every fifth set aside for tests. Needs apt-get and dpkg.
 *
 * `npx tsx bench/photographs.ts FOLDER` writes FOLDER/train/*.png and FOLDER/test/*.png, and in FOLDER/train-cc those of
 * train whose licence is one of Creative Commons: what the builtin denoiser is trained on.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import sharp from "sharp";

/** Photographs by package; the other pictures there are drawn, rendered or patterns. */
const PHOTOGRAPHS: Readonly<Record<string, readonly string[]>> = {
  "lomiri-wallpapers-16.04": [
    "Bridge_by_Sander_Klootwijk",
    "Dragonfly_by_Bolly",
    "Picture_0B_by_freespace",
    "Picture_1A_by_freespace",
    "Wine_by_Jakkub_Mede",
    "aitzgorri_by_Aitzol_Berasategi",
    "free_by_Peter_Nerlich",
    "friends_by_Aitzol_Berasategi",
    "greentock_by_Peter_Nerlich",
    "life_by_Aitzol_Berasategi",
    "picosdeeuropa_by_Aitzol_Berasategi",
    "seeding_by_Clements_Engelhardt",
    "sunset_by_Aitzol_Berasategi",
  ].map((name) => `backgrounds/${name}.jpg`),
  "lomiri-wallpapers-20.04": ["backgrounds/Kleiber_by_Lukas_Baubkus.jpg"],
  "mate-backgrounds": [
    "Aqua",
    "Blinds",
    "Dune",
    "FreshFlower",
    "Garden",
    "GreenMeadow",
    "LadyBird",
    "RainDrops",
    "Storm",
    "TwoWings",
    "Wood",
    "YellowFlower",
  ].map((name) => `backgrounds/mate/nature/${name}.jpg`),
  "plasma-workspace-wallpapers": [
    "BytheWater",
    "ColdRipple",
    "ColorfulCups",
    "DarkestHour",
    "EveningGlow",
    "FallenLeaf",
    "Grey",
    "Kite",
    "OneStandsOut",
    "Path",
    "summer_1am",
  ].map((name) => `wallpapers/${name}/contents/images/2560x1600.jpg`),
};

/** Packages whose photographs are under licences of Creative Commons; the others' are under the GPL. */
const CREATIVE_COMMONS: readonly string[] = ["lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04"];

/** Longer side in pixels, at most: wallpapers of 10 megapixels are smooth from pixel to pixel. */
const LONGER_SIDE = { train: 2048, test: 1024 } as const;

/** Every so many pictures, by name, one is for tests. */
const TEST_EVERY = 5;

/** A picture's file and its name in the set. */
interface Photograph {
  readonly path: string;
  readonly name: string;
  readonly isCreativeCommons: boolean;
}

function obtain(folder: string): Photograph[] {
  const found: Photograph[] = [];
  for (const [name, files] of Object.entries(PHOTOGRAPHS)) {
    const unpacked = join(folder, "packages", name);
    if (!existsSync(unpacked)) {
      mkdirSync(unpacked, { recursive: true });
      execFileSync("apt-get", ["download", name], { cwd: join(folder, "packages"), stdio: "inherit" });
      const archive = readdirSync(join(folder, "packages")).find(
        (file) => file.startsWith(`${name}_`) && file.endsWith(".deb"),
      )!;
      execFileSync("dpkg", ["-x", join(folder, "packages", archive), unpacked]);
    }
    for (const file of files) {
      const own = file.startsWith("wallpapers/") ? file.split("/")[1]! : basename(file, extname(file));
      found.push({
        path: join(unpacked, "usr/share", file),
        name: own,
        isCreativeCommons: CREATIVE_COMMONS.includes(name),
      });
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("usage: npx tsx bench/photographs.ts FOLDER");
for (const [i, { path, name, isCreativeCommons }] of obtain(folder).entries()) {
  const part = i % TEST_EVERY === TEST_EVERY - 1 ? "test" : "train";
  mkdirSync(join(folder, part), { recursive: true });
  const side = LONGER_SIDE[part];
  const out = join(folder, part, `${name}.png`);
  const { width, height } = await sharp(path)
    .autoOrient()
    .resize(side, side, { fit: "inside", withoutEnlargement: true })
    .toColourspace("srgb")
    .png()
    .toFile(out);
  if (part === "train" && isCreativeCommons) {
    mkdirSync(join(folder, "train-cc"), { recursive: true });
    copyFileSync(out, join(folder, "train-cc", `${name}.png`));
  }
  const digest = createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, 12);
  process.stdout.write(`${part} ${name} ${width} x ${height}, sha256 of the original ${digest}...\n`);
}
