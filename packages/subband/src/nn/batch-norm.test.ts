import { constant, gradients, input, interpret, mul, rng, sum, type Tensor } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { batchNormPass, initBatchStatistics, type Phase } from "./batch-norm.ts";

const values = (tensor: Tensor, feeds: Record<string, ArrayLike<number>> = {}): Float64Array =>
  interpret([tensor], feeds)[0]!.data;

const affine = { scale: constant([2, 0.5]), shift: constant([1, -1]) };
const fresh = { mean: constant([0, 0]), variance: constant([1, 1]) };
/** Two images of two channels of 1 x 2: channel 0 holds 1, 3, 5, 7 and channel 1 holds 2, 2, 4, 8. */
const images = constant([1, 3, 2, 2, 5, 7, 4, 8], [2, 2, 1, 2]);

describe("batchNormPass()", () => {
  test("normalises by the batch in training: mean `shift`, standard deviation `scale` a channel", () => {
    const y = values(batchNormPass("training").normalize(affine, fresh, images));
    const deviation0 = Math.sqrt(5 + 1e-5); // of 1, 3, 5, 7 about 4
    const deviation1 = Math.sqrt(6 + 1e-5); // of 2, 2, 4, 8 about 4
    const want = [
      ...[-3, -1].map((v) => 1 + (2 * v) / deviation0),
      ...[-2, -2].map((v) => -1 + (0.5 * v) / deviation1),
      ...[1, 3].map((v) => 1 + (2 * v) / deviation0),
      ...[0, 4].map((v) => -1 + (0.5 * v) / deviation1),
    ];
    expectClose(y, want, { rtol: 1e-12 });
  });

  test("moves running statistics a tenth towards the batch's mean and unbiased variance", () => {
    const pass = batchNormPass("training");
    pass.normalize(affine, fresh, images);
    const untouched = { mean: constant([9]), variance: constant([9]) };
    const next = pass.next({ first: fresh, second: [untouched] });
    expectClose(values(next.first.mean), [0.4, 0.4]);
    expectClose(values(next.first.variance), [0.9 + (0.1 * 20) / 3, 0.9 + (0.1 * 24) / 3]);
    expect(next.second[0]!.mean).toBe(untouched.mean);
  });

  test("chains two passes: the second starts from what the first left", () => {
    let statistics = fresh;
    for (let i = 0; i < 2; i++) {
      const pass = batchNormPass("training");
      pass.normalize(affine, statistics, images);
      statistics = pass.next(statistics);
    }
    expectClose(values(statistics.mean), [4 * (1 - 0.9 ** 2), 4 * (1 - 0.9 ** 2)]);
  });

  test("reads running statistics at inference and leaves them", () => {
    const pass = batchNormPass("inference");
    const running = { mean: constant([4, 0]), variance: constant([4, 9]) };
    const y = values(pass.normalize(affine, running, images));
    const want = [
      ...[-3, -1].map((v) => 1 + v),
      ...[2, 2].map((v) => v / 6 - 1),
      ...[1, 3].map((v) => 1 + v),
      ...[4, 8].map((v) => v / 6 - 1),
    ];
    expectClose(y, want, { atol: 1e-5 }); // epsilon moves the deviation by 1e-5 / 8
    expect(pass.next(running).mean).toBe(running.mean);
  });

  test("has the gradient that finite differences see, in both phases", () => {
    const weights = rng(3, "batch-norm-test", 0).fillNormal(new Float64Array(24));
    const at = rng(3, "batch-norm-test", 1).fillNormal(new Float64Array(24));
    const direction = rng(3, "batch-norm-test", 2).fillNormal(new Float64Array(24));
    for (const phase of ["training", "inference"] satisfies Phase[]) {
      const x = input("x", [3, 2, 2, 2]);
      const y = batchNormPass(phase).normalize(
        affine,
        { mean: constant([1, 2]), variance: constant([3, 4]) },
        x,
      );
      const loss = sum(mul(y, constant(weights, [3, 2, 2, 2])));
      const grad = values(gradients(loss, [x])[0]!, { x: at });
      const value = (step: number) => values(loss, { x: at.map((v, i) => v + step * direction[i]!) })[0]!;
      const slope = grad.reduce((total, g, i) => total + g * direction[i]!, 0);
      expectClose([slope], [(value(1e-5) - value(-1e-5)) / 2e-5], { rtol: 1e-6, what: phase });
    }
  });

  test("refuses to train on one value a channel and says what to do", () => {
    const one = input("x", [1, 2, 1, 1]);
    expect(() => batchNormPass("training").normalize(affine, fresh, one)).toThrow(
      /\[1,2,1,1\].*larger batches/,
    );
    expect(() => batchNormPass("inference").normalize(affine, fresh, one)).not.toThrow();
  });

  test("starts from mean 0 and variance 1", () => {
    const { mean, variance } = initBatchStatistics(2);
    expect([...mean.data, ...variance.data]).toEqual([0, 0, 1, 1]);
  });
});
