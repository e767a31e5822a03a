import { beforeEach, describe, expect, test, vi } from "vitest";
import type { Backend, Session } from "./backend.ts";
import { node } from "./node/node.ts";
import { nodeWorker } from "./node/node-worker.ts";

const [backend, worker] = [node({ threads: 1 }), nodeWorker({ threads: 1 })];

/** The function of a process that has not measured yet. */
let convolutionBlock: typeof import("./convolution-block.ts").convolutionBlock;
beforeEach(async () => {
  vi.resetModules();
  ({ convolutionBlock } = await import("./convolution-block.ts"));
});

/** A backend where sessions are opened in another way. */
const opening = (createSession: Backend["createSession"], on = backend): Backend => ({
  ...on,
  createSession,
});

/** The same model, of operators of a domain that nobody knows. */
const ofNobody = (model: Uint8Array): Uint8Array =>
  Buffer.from(
    Buffer.from(model).toString("latin1").replaceAll("microsoft.nchwc", "nobody-s.blocks"),
    "latin1",
  );

describe("convolutionBlock()", () => {
  test.each([
    ["here", backend],
    ["in a worker thread", worker],
  ])("is none where ONNX Runtime %s has no such operator, and is not asked for again", async (_, on) => {
    const asked = vi.fn((model: Uint8Array) => on.createSession(ofNobody(model)));
    expect(await convolutionBlock(opening(asked, on))).toBeUndefined();
    expect(await convolutionBlock(opening(asked, on))).toBeUndefined();
    expect(asked).toHaveBeenCalledTimes(1);
  });

  test("a probe that fails for another reason says so, and the next one finds what there is", async () => {
    const block = await convolutionBlock(backend);
    vi.resetModules();
    ({ convolutionBlock } = await import("./convolution-block.ts"));
    const release = vi.fn<Session["release"]>(async () => {});
    const failing: Backend["createSession"][] = [
      () => Promise.reject(new Error("bad allocation")),
      () => Promise.resolve({ run: () => Promise.reject(new Error("bad allocation")), release }),
    ];
    for (const createSession of failing)
      await expect(convolutionBlock(opening(createSession))).rejects.toThrow("bad allocation");
    expect(release, "a session that fails is released").toHaveBeenCalledTimes(1);
    expect(await convolutionBlock(backend)).toBe(block);
    expect(await convolutionBlock(opening(failing[0]!)), "what was measured is kept").toBe(block);
  });
});
