/** @module Cases of elementary functions and activations, for the op table (testing/op-cases.ts). */
import type { CaseTable, OpCase } from "../testing/case-graph.ts";
import { binary, f, fixed, POSITIVE, unary } from "../testing/case-inputs.ts";
import { apply, apply1 } from "../trace/tensor.ts";
import { add, mul } from "./arithmetic.ts";
import { clamp } from "./clamp.ts";
import { cast } from "./compare.ts";
import {
  abs,
  cos,
  erf,
  exp,
  gelu,
  leakyRelu,
  log,
  neg,
  pow,
  relu,
  round,
  sigmoid,
  sign,
  silu,
  siluOp,
  sin,
  slopesOp,
  softplus,
  sqrt,
  tanh,
} from "./elementary.ts";
import { concat } from "./concat.ts";
import { constant } from "./source.ts";

/** Of both signs, at zero of both signs, and as small and as large as values get. */
const slopesAt = (slope: number): OpCase => ({
  name: `slope ${slope}`,
  inputs: [fixed([7])],
  build: (x) => apply1(slopesOp, [concat([x, constant([0, -0, 1e-37, -1e-37, 3e38, -3e38])], 0)], { slope }),
});

export const elementaryCases: CaseTable = {
  exp: unary(exp),
  log: unary(log, POSITIVE),
  pow: [
    ...binary(pow, POSITIVE, [-1.5, 2]),
    { name: "cube of negatives", inputs: [f([6])], build: (x) => pow(x, 3) },
    { name: "inverse root", inputs: [f([6], POSITIVE)], build: (x) => pow(x, -0.5) },
  ],
  sqrt: unary(sqrt, POSITIVE),
  abs: unary(abs),
  sign: [{ name: "[7]", inputs: [fixed([7])], build: sign }],
  round: [
    { name: "[3,7]", inputs: [fixed([3, 7], [-3, 3])], build: round },
    {
      name: "halves go to the even side",
      inputs: [],
      build: () => round(constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])),
    },
    {
      name: "pixels",
      inputs: [fixed([2, 3, 2, 2], [-1.2, 1.2])],
      build: (x) => cast(round(clamp(mul(add(x, 1), 127.5), 0, 255)), "uint8"),
    },
  ],
  sin: unary(sin, [-4, 4]),
  cos: unary(cos, [-4, 4]),
  tanh: unary(tanh),
  sigmoid: unary(sigmoid, [-6, 6]),
  erf: unary(erf, [-3, 3]),
  relu: unary(relu),
  softplus: [
    ...unary(softplus, [-4, 4]),
    { name: "far from zero", inputs: [f([8], [-90, 90])], build: softplus },
  ],
  silu: [
    ...unary(silu, [-5, 5]),
    {
      name: "both outputs",
      inputs: [f([2, 3])],
      build: (x) => apply(siluOp, [x], {}),
    },
  ],
  leakyRelu: [
    ...unary((x) => leakyRelu(x)),
    { name: "slope 0.2", inputs: [f([2, 5])], build: (x) => leakyRelu(x, 0.2) },
    { name: "slope 1.5", inputs: [f([2, 5])], build: (x) => leakyRelu(x, 1.5) },
    { name: "slope -0.5", inputs: [f([2, 5])], build: (x) => leakyRelu(x, -0.5) },
  ],
  slopes: [
    { name: "alone", inputs: [fixed([2, 3, 4])], build: (x) => apply1(slopesOp, [x], { slope: 0.2 }) },
    slopesAt(0),
    slopesAt(0.3),
    slopesAt(1),
    slopesAt(2),
    slopesAt(-0.5),
  ],
  neg: unary(neg),
  gelu: unary(gelu, [-3, 3]),
};
