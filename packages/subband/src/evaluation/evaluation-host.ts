/** @module What evaluating needs of its surroundings. */
import type { Backend } from "onnxgrad";
import type { FeatureExtractor, OpenFeatures } from "./features/feature-extractor.ts";

/** What evaluating needs of its surroundings. */
export interface EvaluationHost {
  readonly backend: Backend;
  /** Of whatever is chosen at random. */
  readonly seed: number;
  /** Features that distances are computed on; default no distances. */
  readonly features?: { readonly extractor: FeatureExtractor; readonly open: OpenFeatures } | undefined;
  /** Told how many images of a part are done. */
  readonly onProgress?: (part: string, done: number, total: number) => void;
}
