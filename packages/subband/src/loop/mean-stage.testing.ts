/** @module A stage so small that arithmetic says what its training comes to, and which can be made to blow up at any step. */
import { add, mean, mul, scalar, square, sub, type Tensor } from "onnxgrad";
import { createDataset } from "../data/dataset.ts";
import type { Stage, StepContext } from "../systems/stage.ts";

/** Images a step. */
export const BATCH = 2;
/** Eight grey images, each of one level. */
export const dataset = createDataset({
  name: "levels",
  channels: 1,
  height: 2,
  width: 2,
  pixels: Uint8Array.from({ length: 8 * 4 }, (_, i) => 8 * i),
  licence: "none",
  credit: "none",
  skipped: {},
  fingerprint: "levels",
});

/** What is put onto a stage's number after a step: 0, or what makes it useless. */
export type Poison = (context: StepContext) => number;

/** A stage that learns the mean of the images with one number, w. */
export function meanStage({
  name = "mean",
  share = 1,
  poison = () => 0,
  lr = 0.1,
  score,
}: {
  readonly name?: string;
  readonly share?: number;
  readonly poison?: Poison;
  readonly lr?: number;
  /** The score, of w and the mean of two held-out images. */
  readonly score?: (w: Tensor, goal: Tensor) => Tensor;
} = {}): Stage {
  return {
    name,
    share,
    batch: BATCH,
    layout: () => ({ w: { shape: [], data: new Float32Array(0) } }),
    begin: () => ({ w: scalar(1) }),
    networks: {},
    programs: {
      step: {
        inputs: { pixels: [BATCH, 1, 2, 2], lr: [], poison: [] },
        build({
          state,
          pixels,
          lr,
          poison: bad,
        }: Readonly<Record<string, Tensor>> & { state: { w: Tensor } }) {
          const error = sub(state.w, mean(pixels!));
          return { state: { w: add(sub(state.w, mul(error, lr!)), bad!) }, loss: square(error) };
        },
      },
    },
    select: () => "step",
    feeds: (context) => ({ lr: lr * context.lrScale, poison: poison(context) }),
    ...(score && {
      score: {
        weights: ["w"],
        batch: BATCH,
        batches: 1,
        program: {
          inputs: { pixels: [BATCH, 1, 2, 2] },
          build: ({
            state,
            pixels,
          }: {
            readonly state: { readonly w: Tensor };
            readonly pixels: Tensor;
          }) => ({
            score: score(state.w, mean(pixels)),
            w: state.w,
          }),
        },
        feeds: () => ({}),
      },
    }),
  };
}
