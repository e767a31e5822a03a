/**
 * @module The packages as users get them: packed, and installed by npm into an empty project outside the repository. Where
 * npm cannot reach what it needs, they are unpacked beside links to the repository's own dependencies.
 */
import { execFile } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { ROOT, textOf } from "./sources.ts";

export const run: typeof execFile.__promisify__ = promisify(execFile);

/** The packages that are published. */
export const PACKAGES = ["onnxgrad", "subband"] as const;

export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies: Readonly<Record<string, string>>;
}

/** Those that were not built: what is published is the build. */
export const unbuilt: readonly string[] = PACKAGES.filter(
  (name) => !existsSync(join(ROOT, `packages/${name}/dist/index.js`)),
);

/** An empty project, in a folder of its own. */
export function emptyProject(): string {
  const project = realpathSync(mkdtempSync(join(tmpdir(), "onnxgrad-user-")));
  writeFileSync(join(project, "package.json"), JSON.stringify({ type: "module" }));
  return project;
}

/** The command of a README that installs both packages. */
export function installCommand(readme: string): string {
  return /^ONNXRUNTIME_NODE_INSTALL=skip npm install .*$/m.exec(textOf(readme))![0];
}

/** What npm says when it reaches no registry, or has nothing of it at hand. */
const OFFLINE = /\b(?:ENOTFOUND|ENOTCACHED|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH)\b/;

/**
 * Installs the packages by the command of subband's README, install scripts and all.
 * @returns why npm could not, when it reached nothing; the packages are there all the same.
 * @throws Error when npm fails for any other reason.
 */
export async function install(project: string): Promise<string | undefined> {
  const tarballs = new Map<string, string>();
  for (const name of PACKAGES) tarballs.set(name, await pack(name, project));
  const command = installCommand("packages/subband/README.md").replace(
    /onnxgrad subband$/,
    () => `--prefer-offline --no-audit --no-fund --ignore-scripts=false ${[...tarballs.values()].join(" ")}`,
  );
  try {
    await run("bash", ["-c", command], { cwd: project });
    return undefined;
  } catch (error) {
    const said = String((error as { stderr?: string }).stderr);
    if (!OFFLINE.test(said)) throw error;
    for (const [name, tarball] of tarballs) await unpack(name, tarball, project);
    return OFFLINE.exec(said)![0];
  }
}

async function pack(name: string, destination: string): Promise<string> {
  const { stdout } = await run(
    "npm",
    ["pack", "--json", "--ignore-scripts", "--pack-destination", destination],
    { cwd: join(ROOT, "packages", name) },
  );
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }];
  return `./${filename}`;
}

async function unpack(name: string, tarball: string, project: string): Promise<void> {
  const place = join(project, "node_modules", name);
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  await run("tar", ["-xzf", join(project, tarball), "-C", place, "--strip-components", "1"]);
  const { dependencies } = JSON.parse(textOf(`packages/${name}/package.json`)) as Manifest;
  for (const each of Object.keys(dependencies))
    if (!PACKAGES.some((own) => own === each)) link(each, project);
  const command = join(project, "node_modules/.bin/subband");
  mkdirSync(dirname(command), { recursive: true });
  if (!existsSync(command)) symlinkSync("../subband/bin/subband.js", command);
}

/** Puts a package of the repository's node_modules, whose own dependencies lie there too, into the project's. */
export function link(name: string, project: string): void {
  const place = join(project, "node_modules", name);
  mkdirSync(dirname(place), { recursive: true });
  if (!existsSync(place)) symlinkSync(join(ROOT, "node_modules", name), place);
}
