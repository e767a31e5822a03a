import { describe, expect, test } from "vitest";
import { GraphError } from "../errors.ts";
import { input } from "../ops/source.ts";
import { adam, type AdamOptions } from "./adam.ts";
import { ema } from "./ema.ts";
import { sgd, type SgdOptions } from "./sgd.ts";

const vector = (name: string) => input(name, [2]);
const params = { w: vector("w") };
const grads = { w: vector("g") };
const moments = { m: vector("m"), v: vector("v"), step: input("step", []) };

// PyTorch 1.13 raises ValueError for each of these, save for NaN, which it lets through.
describe("settings that no update can be meant by are refused, by name:", () => {
  test.each<[options: AdamOptions, message: string]>([
    [{ lr: -1e-3 }, "adam: lr is -0.001. Give a finite number, 0 or more."],
    [{ lr: NaN }, "adam: lr is NaN."],
    [{ lr: Infinity }, "adam: lr is Infinity."],
    [{ lr: 1, betas: [1, 0.9] }, "adam: betas is 1. Give 0 or more, below 1."],
    [{ lr: 1, betas: [0.9, -0.1] }, "adam: betas is -0.1."],
    [{ lr: 1, epsilon: -1e-8 }, "adam: epsilon is -1e-8."],
    [{ lr: 1, weightDecay: -0.1 }, "adam: weightDecay is -0.1."],
  ])("adam %j", (options, message) => {
    expect(() => adam(params, grads, moments, options)).toThrow(GraphError);
    expect(() => adam(params, grads, moments, options)).toThrow(message);
  });
  test.each<[options: SgdOptions, message: string]>([
    [{ lr: -1 }, "sgd: lr is -1."],
    [{ lr: 1, momentum: -0.9 }, "sgd: momentum is -0.9."],
    [{ lr: 1, weightDecay: NaN }, "sgd: weightDecay is NaN."],
  ])("sgd %j", (options, message) => {
    expect(() => sgd(params, grads, vector("u"), options)).toThrow(message);
  });
  test.each([-0.1, 1.1, NaN])("ema with a decay of %d", (decay) => {
    expect(() => ema(params, params, moments.step, decay)).toThrow(
      `ema: decay is ${decay}. Give a number from 0 to 1.`,
    );
  });
  test("what is at the ends, or fed, is taken", () => {
    adam(params, grads, moments, { lr: 0, betas: [0, 0], epsilon: 0 });
    adam(params, grads, moments, { lr: input("lr", []) });
    sgd(params, grads, vector("u"), { lr: 0, momentum: 0 });
    for (const decay of [0, 1]) ema(params, params, moments.step, decay);
  });
});
