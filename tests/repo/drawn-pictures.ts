/** @module The pictures that the READMEs speak of, drawn small: photographs to learn from, and some to restore. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";

const WIDTH = 48;
const HEIGHT = 32;

/** Draws them into `folder`, with `photos` and `Pictures` of them. */
export async function drawPictures(folder: string): Promise<void> {
  const put = (name: string, svg: string, width = WIDTH, height = HEIGHT): Promise<unknown> =>
    sharp(
      Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${svg}</svg>`),
    )
      .removeAlpha()
      .png()
      .toFile(join(folder, name));
  for (const photos of ["photos", "Pictures"]) {
    mkdirSync(join(folder, photos));
    for (let i = 0; i < 12; i++) await put(`${photos}/${i}.png`, scene(i), 24, 24);
  }
  for (const name of ["noisy", "scratched", "shaken", "original"]) await put(`${name}.png`, scene(3));
  await put("small.png", scene(5), WIDTH / 2, HEIGHT / 2);
  await put(
    "scratches.png",
    `<rect width="48" height="32"/><rect x="10" y="8" width="6" height="6" fill="white"/>`,
  );
  await put(
    "kernel.png",
    `<rect width="5" height="5"/><rect y="2" width="5" height="1" fill="white"/>`,
    5,
    5,
  );
}

function scene(i: number): string {
  const hue = 30 * i;
  return (
    `<rect width="100%" height="100%" fill="hsl(${hue}, 40%, 60%)"/>` +
    `<circle cx="${8 + i}" cy="12" r="${5 + (i % 3)}" fill="hsl(${hue + 120}, 60%, 40%)"/>`
  );
}
