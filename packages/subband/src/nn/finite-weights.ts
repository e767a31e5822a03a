/** @module Whether weights are numbers at all: what every reader of weights asks before they are used. */
import { quoteName, UserError } from "onnxgrad";

/** An array by its name. */
type Named = readonly [name: string, array: { readonly data: Float32Array }];

/**
 * Refuses arrays that hold NaN or an infinity, one pass over each; `remedy` is a sentence for the user.
 * @throws UserError `nn/not-finite` with the name of the first such array, the value and where it is.
 */
export function requireFinite(
  arrays: Iterable<Named>,
  remedy = "The training of this network diverged: take an earlier copy of it.",
): void {
  for (const [name, { data }] of arrays) {
    if (isFinite(data)) continue;
    const at = data.findIndex((value) => !Number.isFinite(value));
    throw new UserError(
      "nn/not-finite",
      `weights that are no finite numbers: ${quoteName(name)} holds ${data[at]} as number ${at + 1} of ${data.length}. ${remedy}`,
    );
  }
}

/** 0 times a number is 0, times anything else NaN: five times as fast as asking one by one. */
function isFinite(data: Float32Array): boolean {
  let zero = 0;
  for (let i = 0; i < data.length; i++) zero += data[i]! * 0;
  return zero === 0;
}
