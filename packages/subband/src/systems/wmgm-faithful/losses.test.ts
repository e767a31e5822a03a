import { constant, gradients, input, interpret, rng, type Tensor } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { haarAnalysis, haarSynthesis } from "../../wavelet/graph.ts";
import { RELEASED_DEFECTS } from "./defects.ts";
import { faithfulDiscriminatorLoss, faithfulGeneratorLoss, faithfulGradients } from "./losses.ts";

const values = (tensor: Tensor, feeds: Record<string, ArrayLike<number>> = {}): number[] => [
  ...interpret([tensor], feeds)[0]!.data,
];
const SHAPE = [2, 3, 8, 12];
const SIZE = 2 * 3 * 8 * 12;
const draw = (index: number): number[] =>
  Array.from(rng(4, "faithful-losses-test", index).fillNormal(new Float64Array(SIZE)), (v) => 0.5 + 0.15 * v);
const fakeValues = draw(0);
const realValues = draw(1);
const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
const SCORES = [0.3, -1.2];

const judge = (level: number, factor = 1, defects = RELEASED_DEFECTS) =>
  faithfulGeneratorLoss(
    {
      fake: constant(
        fakeValues.map((v) => factor * v),
        SHAPE,
      ),
      real: constant(
        realValues.map((v) => factor * v),
        SHAPE,
      ),
      fakeScore: constant(SCORES, [2, 1]),
      level,
    },
    undefined,
    defects,
  );

describe("faithfulGeneratorLoss()", () => {
  test("weights the bounded adversarial score 0.1, the squared error 20 and the dissimilarity 0.5", () => {
    const { loss, adversarial, reconstruction, similarity } = judge(1);
    const [adv] = values(adversarial);
    const [mse] = values(reconstruction);
    const [dissimilarity] = values(similarity);
    expectClose([adv!], [-(sigmoid(0.3) + sigmoid(-1.2)) / 2], { rtol: 1e-12 });
    const want = fakeValues.reduce((total, v, i) => total + (v - realValues[i]!) ** 2, 0) / SIZE;
    expectClose([mse!], [want], { rtol: 1e-12 });
    expectClose(values(loss), [0.1 * adv! + 20 * mse! + 0.5 * dissimilarity!], { rtol: 1e-12 });
  });

  test("sees 3/4 of the squared error of the detail bands: the low band is shared", () => {
    const low = constant(realValues.slice(0, SIZE / 4), [2, 3, 4, 6]);
    const detail = constant(fakeValues.slice(SIZE / 4), [2, 9, 4, 6]);
    const other = constant(realValues.slice(SIZE / 4), [2, 9, 4, 6]);
    const { reconstruction } = faithfulGeneratorLoss({
      fake: haarSynthesis(low, detail),
      real: haarSynthesis(low, other),
      fakeScore: constant(SCORES, [2, 1]),
      level: 1,
    });
    const bands = fakeValues.slice(SIZE / 4).map((v, i) => (v - realValues[SIZE / 4 + i]!) ** 2);
    expectClose(values(reconstruction), [(0.75 * bands.reduce((a, b) => a + b, 0)) / bands.length], {
      rtol: 1e-12,
    });
  });

  test("judges similarity differently at each scale, unless signedSimilarity is repaired", () => {
    const repaired = { ...RELEASED_DEFECTS, signedSimilarity: false };
    const of = (level: number, defects = RELEASED_DEFECTS) =>
      values(judge(level, 2 ** (level - 1), defects).similarity)[0]!;
    expectClose([of(2, repaired)], [of(1, repaired)], { rtol: 1e-12 });
    expect(Math.abs(of(2) / of(1) - 1)).toBeGreaterThan(0.01);
  });

  test("pushes the score of fakes up, more strongly where it is low once boundedAdversary is repaired", () => {
    const slopes = (boundedAdversary: boolean) => {
      const fakeScore = input("score", [2, 1]);
      const still = constant(fakeValues, SHAPE);
      const { adversarial } = faithfulGeneratorLoss(
        { fake: still, real: still, fakeScore, level: 1 },
        undefined,
        {
          ...RELEASED_DEFECTS,
          boundedAdversary,
        },
      );
      return values(gradients(adversarial, [fakeScore])[0]!, { score: [-6, 1] });
    };
    expectClose(
      slopes(true),
      [-6, 1].map((s) => (-sigmoid(s) * (1 - sigmoid(s))) / 2),
      { rtol: 1e-9 },
    );
    expectClose(
      slopes(false),
      [-6, 1].map((s) => -sigmoid(-s) / 2),
      { rtol: 1e-9 },
    );
  });

  test("has the gradient that finite differences see, down to the detail bands", () => {
    const detail = input("detail", [2, 9, 4, 6]);
    const real = constant(realValues, SHAPE);
    const { loss } = faithfulGeneratorLoss({
      fake: haarSynthesis(haarAnalysis(real).low, detail),
      real,
      fakeScore: constant(SCORES, [2, 1]),
      level: 1,
    });
    const at = fakeValues.slice(SIZE / 4).map((v) => v - 0.5);
    const direction = draw(2).slice(SIZE / 4);
    const value = (step: number) => values(loss, { detail: at.map((v, i) => v + step * direction[i]!) })[0]!;
    const grad = values(gradients(loss, [detail])[0]!, { detail: at });
    const slope = grad.reduce((total, g, i) => total + g * direction[i]!, 0);
    expectClose([slope], [(value(1e-5) - value(-1e-5)) / 2e-5], { rtol: 1e-7 });
  });
});

describe("faithfulDiscriminatorLoss()", () => {
  const real = constant([2, 0.5], [2, 1]);
  const fake = constant([-1, 0.2], [2, 1]);

  test("is half the difference of mean sigmoids, -1/2 at best", () => {
    const want = (sigmoid(-1) + sigmoid(0.2) - sigmoid(2) - sigmoid(0.5)) / 4;
    expectClose(values(faithfulDiscriminatorLoss(real, fake)), [want], { rtol: 1e-12 });
    const sure = faithfulDiscriminatorLoss(constant([40], [1, 1]), constant([-40], [1, 1]));
    expectClose(values(sure), [-0.5], { rtol: 1e-9 });
  });

  test("is half the cross-entropy once boundedAdversary is repaired", () => {
    const loss = faithfulDiscriminatorLoss(real, fake, { ...RELEASED_DEFECTS, boundedAdversary: false });
    const entropies = [sigmoid(2), sigmoid(0.5), 1 - sigmoid(-1), 1 - sigmoid(0.2)].map((p) => -Math.log(p));
    expectClose(values(loss), [entropies.reduce((a, b) => a + b) / 4], { rtol: 1e-9 });
  });
});

describe("faithfulGradients()", () => {
  test("leaves gradients alone as released, and clips their norm to 0.5 once repaired", () => {
    const grads = { a: constant([3, 0]), b: [constant([4])] };
    expect(faithfulGradients(grads)).toBe(grads);
    const clipped = faithfulGradients(grads, { ...RELEASED_DEFECTS, clipBeforeBackward: false });
    expectClose([...values(clipped.a), ...values(clipped.b[0]!)], [0.3, 0, 0.4], { rtol: 1e-9 });
  });
});
