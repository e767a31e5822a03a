/** @module What the importer answers to the bytes of a model, and how much work that was. */
import { input, type Tensor } from "onnxgrad";
import { importModel } from "../../packages/onnxgrad/src/onnx/import-model.ts";

export interface Answer {
  /** The results, or the refusal. */
  readonly results?: Readonly<Record<string, Tensor>>;
  readonly error?: unknown;
  /** Milliseconds of processor time: the machine may be busy. */
  readonly took: number;
}

/** Imports and traces a model, on inputs of the least extents. */
export function answer(bytes: Uint8Array): Answer {
  const begun = process.cpuUsage();
  const took = () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
  try {
    const model = importModel(bytes);
    const given = Object.fromEntries(
      model.inputs.map(({ name, shape, dtype }) => [
        name,
        input(
          name,
          shape.map((n) => n ?? 2),
          dtype,
        ),
      ]),
    );
    return { results: model.apply(given), took: took() };
  } catch (error) {
    return { error, took: took() };
  }
}
