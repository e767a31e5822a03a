/**
 * @module Drives Debian's Chromium without a window, by the DevTools protocol: JSON messages over two pipes, each ended
 * by a zero byte. No package is needed for that, and Node 20 has no WebSocket.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";

/** Why there is no browser to test with, or undefined when there is one. */
export const missingChromium: string | undefined =
  spawnSync("chromium", ["--version"]).status === 0
    ? undefined
    : "no chromium here (Debian: apt-get install chromium)";

/** A page that has loaded. */
export interface Page {
  /**
   * The value of a JavaScript expression in the page, promises awaited, as JSON carries it.
   * @throws Error with the page's stack when the expression throws.
   */
  evaluate<T>(expression: string): Promise<T>;
  /** The visible part of the page as PNG. */
  screenshot(): Promise<Buffer>;
  /** What the page wrote to its console and errors nobody caught, one line each. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** A running browser. */
export interface Browser {
  open(url: string, size?: { readonly width: number; readonly height: number }): Promise<Page>;
  close(): Promise<void>;
}

/** One message of the protocol. */
interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** A value of the page, as the protocol describes it. */
interface RemoteValue {
  readonly value?: unknown;
  readonly description?: string;
}

const FLAGS = [
  "--headless=new",
  "--no-sandbox",
  "--no-first-run",
  "--disable-extensions",
  "--disable-background-networking",
  "--remote-debugging-pipe",
  // WebGPU in software: SwiftShader comes with the package, and a machine without a GPU offers no other adapter. It
  // compiles shaders four times faster when they need not clear memory that they write anyway.
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-dawn-features=disable_workgroup_init",
];

/** Starts the browser with a profile of its own, which {@link Browser.close} removes. */
export async function launchChromium(): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "chromium-"));
  const child = spawn("chromium", [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const { send, listen } = connect(child);
  return {
    async open(url, size = { width: 1024, height: 768 }) {
      const { targetId } = await send<{ targetId: string }>("Target.createTarget", {
        url: "about:blank",
        newWindow: true,
        ...size,
      });
      const { sessionId } = await send<{ sessionId: string }>("Target.attachToTarget", {
        targetId,
        flatten: true,
      });
      const log: string[] = [];
      const loaded = new Promise<void>((resolve) => {
        listen(sessionId, (method, params) => {
          if (method === "Page.loadEventFired") resolve();
          else if (method === "Runtime.consoleAPICalled")
            log.push(
              (params["args"] as RemoteValue[]).map((each) => each.value ?? each.description).join(" "),
            );
          else if (method === "Runtime.exceptionThrown") log.push(describe(params["exceptionDetails"]));
        });
      });
      await send("Page.enable", {}, sessionId);
      await send("Runtime.enable", {}, sessionId);
      await send("Page.navigate", { url }, sessionId);
      await loaded;
      return {
        log,
        async evaluate<T>(expression: string) {
          const { result, exceptionDetails } = await send<{
            result: RemoteValue;
            exceptionDetails?: unknown;
          }>("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true }, sessionId);
          if (exceptionDetails !== undefined) throw new Error(describe(exceptionDetails));
          return result.value as T;
        },
        async screenshot() {
          const { data } = await send<{ data: string }>(
            "Page.captureScreenshot",
            { format: "png" },
            sessionId,
          );
          return Buffer.from(data, "base64");
        },
        async close() {
          await send("Target.closeTarget", { targetId });
        },
      };
    },
    async close() {
      const exit = once(child, "exit");
      await send("Browser.close");
      await exit;
      await rm(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Numbers requests, matches answers to them, and hands events to the listener of their page. */
function connect(child: ChildProcess): {
  send: <T>(method: string, params?: object, sessionId?: string) => Promise<T>;
  listen: (
    sessionId: string,
    listener: (method: string, params: Readonly<Record<string, unknown>>) => void,
  ) => void;
} {
  const [toBrowser, fromBrowser] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  const listeners = new Map<string, (method: string, params: Readonly<Record<string, unknown>>) => void>();
  const receive = ({ id, method, sessionId, params, result, error }: Message) => {
    if (id === undefined) return listeners.get(sessionId ?? "")?.(method!, params ?? {});
    const request = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) request?.resolve(result);
    else request?.reject(new Error(error.message));
  };
  let rest = "";
  fromBrowser.setEncoding("utf8").on("data", (text: string) => {
    const messages = (rest + text).split("\0");
    rest = messages.pop()!;
    for (const message of messages) receive(JSON.parse(message) as Message);
  });
  child.on("exit", (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`chromium ended with status ${code}`));
    waiting.clear();
  });
  let next = 0;
  return {
    send: <T>(method: string, params: object = {}, sessionId?: string) =>
      new Promise<T>((resolve, reject) => {
        waiting.set(++next, { resolve: resolve as (result: unknown) => void, reject });
        toBrowser.write(`${JSON.stringify({ id: next, method, params, sessionId })}\0`);
      }),
    listen: (sessionId, listener) => void listeners.set(sessionId, listener),
  };
}

function describe(details: unknown): string {
  const { text, exception } = details as { text: string; exception?: RemoteValue };
  return exception?.description ?? text;
}
