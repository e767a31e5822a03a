import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { inOneSpace, inSrgb } from "./colour-space.ts";
import { type Picture, readPicture } from "./picture.ts";
import { testPicture } from "./pictures.testing.ts";

const fixture = fileURLToPath(new URL("fixtures/c8-p3.png", import.meta.url));
const { profile } = await readPicture(fixture, true);

/** In Display P3. */
const tagged = (options: Partial<Parameters<typeof testPicture>[0]>): Picture => ({
  ...testPicture({ height: 23, width: 17, colours: 3, noise: 0.1, ...options }),
  profile: profile!,
});

describe("inSrgb()", () => {
  test("has the right value of Display P3, at 8 and 16 bits, alpha untouched", async () => {
    for (const deep of [false, true])
      for (const alpha of [false, true]) {
        const picture = tagged({ deep, alpha });
        const scale = deep ? 257 : 1;
        for (let i = 0; i < 23 * 17; i++) {
          const at = i * (alpha ? 4 : 3);
          picture.samples.set([200 * scale, 80 * scale, 60 * scale], at);
        }
        const found = await inSrgb(picture);
        expect(found).toMatchObject({ height: 23, width: 17, colours: 3, alpha });
        expect(found.profile).toBeUndefined();
        const stride = alpha ? 4 : 3;
        for (const [c, want] of [216, 69, 51].entries())
          expect(Math.abs(found.samples[c]! / scale - want), `deep ${deep}, channel ${c}`).toBeLessThan(0.75);
        if (alpha)
          expect(found.samples.filter((_, i) => i % stride === 3)).toEqual(
            picture.samples.filter((_, i) => i % stride === 3),
          );
      }
  });

  test("in parts it is what it is as a whole", async () => {
    for (const deep of [false, true]) {
      const picture = tagged({ deep, alpha: true });
      const whole = await inSrgb(picture);
      for (const bytes of [1, 5 * 17 * 4 * 2, 1e6]) expect(await inSrgb(picture, bytes)).toEqual(whole);
    }
  });
});

describe("inOneSpace()", () => {
  test("leaves pictures of one profile, or of none, as they are", async () => {
    const [a, b] = [tagged({}), { ...tagged({ noise: 0 }), profile: profile!.slice() }];
    expect(await inOneSpace([a, b])).toEqual([a, b]);
    expect((await inOneSpace([a, b]))[0]).toBe(a);
    const plain = testPicture({ height: 3, width: 4 });
    expect((await inOneSpace([plain, plain]))[1]).toBe(plain);
    const mixed = await inOneSpace([a, plain]);
    expect([mixed[0]!.profile, mixed[1]]).toEqual([undefined, plain]);
  });
});
