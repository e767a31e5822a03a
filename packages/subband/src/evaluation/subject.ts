/** @module What is evaluated: images that a run draws, or images of a set. */
import type { Backend } from "onnxgrad";
import { compileDraw, type CompiledDraw } from "../drawing/compile-draw.ts";
import type { ImageSource } from "../images/image-source.ts";
import type { Arrays, DrawChoice } from "../systems/draw.ts";
import type { ImageShape, Pyramid, System } from "../systems/system.ts";
import { BATCH, type DrawnStream, drawnStream, type ImageStream, sourceStream } from "./image-stream.ts";

/** Images of a set: those numbered `indices`, in that order. */
export interface ImagesSubject {
  readonly kind: "images";
  readonly source: ImageSource;
  readonly indices: Uint32Array;
}

/** Images that a system draws: `first`, `first + 1`, ... of a seed. */
export interface DrawnSubject {
  readonly kind: "drawn";
  readonly system: Pick<System, "image" | "draw" | "stages"> & { readonly pyramid: Pyramid };
  readonly arrays: Arrays;
  readonly chosen: DrawChoice;
  readonly seed: number;
  readonly first: number;
  readonly count: number;
}

/** What is evaluated, or compared with. */
export type Subject = ImagesSubject | DrawnSubject;

/** A subject, ready to give its images. */
export type OpenSubject =
  | { readonly kind: "images"; readonly stream: ImageStream; dispose(): Promise<void> }
  | {
      readonly kind: "drawn";
      readonly stream: DrawnStream;
      readonly drawing: CompiledDraw;
      dispose(): Promise<void>;
    };

/** Extents of its images. */
export function imageOf(subject: Subject): ImageShape {
  const { channels, height, width } = subject.kind === "drawn" ? subject.system.image : subject.source;
  return { channels, height, width };
}

/**
 * Compiles what draws, if anything does.
 * @throws UserError `state/mismatch` when the arrays do not belong to the system.
 */
export async function openSubject(subject: Subject, backend: Backend): Promise<OpenSubject> {
  if (subject.kind === "images")
    return {
      kind: "images",
      stream: sourceStream(subject.source, subject.indices),
      dispose: () => Promise.resolve(),
    };
  const { system, chosen, arrays } = subject;
  const drawing = await compileDraw(backend, system.draw.steps(chosen), arrays, BATCH);
  return {
    kind: "drawn",
    drawing,
    stream: drawnStream(drawing, system.image, subject),
    dispose: () => drawing.dispose(),
  };
}
