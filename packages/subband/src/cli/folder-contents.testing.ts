/** @module For tests that nothing is changed: all that a folder holds. */
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Every file below the folder with its bytes; links, pipes and folders with what makes them the same. */
export function folderContents(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder, { recursive: true })
      .map(String)
      .toSorted()
      .map((name) => {
        const status = lstatSync(join(folder, name));
        const bytes = status.isFile() ? readFileSync(join(folder, name), "latin1") : "";
        return [name, `${status.mode} ${status.ino} ${bytes}`];
      }),
  );
}
