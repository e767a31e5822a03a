import { describe, expect, test } from "vitest";
import { UserError } from "../../errors.ts";
import { holdGpu } from "./gpu-holders.ts";

describe("holdGpu()", () => {
  test("gives the GPU to one thread at a time, to another once all of its sessions are released", () => {
    const [a, b] = [{ isOver: false }, { isOver: false }];
    const first = holdGpu(a);
    const second = holdGpu(a);
    expect(() => holdGpu(b)).toThrow(UserError);
    first();
    first();
    expect(() => holdGpu(b)).toThrow("WebGPU is used by another thread of this process");
    second();
    const third = holdGpu(b);
    expect(() => holdGpu(a)).toThrow(UserError);
    third();
    holdGpu(a)();
  });

  test("waits for no thread that has ended, whose sessions then count no more", () => {
    const [dead, next] = [{ isOver: false }, { isOver: false }];
    const lost = holdGpu(dead);
    dead.isOver = true;
    const release = holdGpu(next);
    lost();
    expect(() => holdGpu({ isOver: false })).toThrow(UserError);
    release();
  });
});
