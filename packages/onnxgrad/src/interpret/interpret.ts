/** @module The slow float64 interpreter: evaluates a traced graph with each operation's reference, as the tests' oracle. */
import { didYouMean, quoteName, UserError } from "../errors.ts";
import { inRange, type RefArray } from "../ops/define-op.ts";
import { inputName } from "../trace/port-names.ts";
import { reachable, type Spec, sizeOf, type Tensor } from "../trace/tensor.ts";

type Feeds = Readonly<Record<string, ArrayLike<number | bigint>>>;

/**
 * Evaluates `outputs` with the precision of float64 and the range of float32, feeding inputs by name.
 * @throws UserError when an input is not fed, has another number of elements, or is fed what is no number of its type.
 */
export function interpret(outputs: readonly Tensor[], feeds: Feeds): RefArray[] {
  const values = new Map<Tensor, RefArray>();
  for (const node of reachable(outputs)) {
    const name = inputName(node);
    if (name !== undefined) {
      const tensor = node.outputs[0]!;
      values.set(tensor, { shape: tensor.shape, data: fedValues(name, tensor, feeds) });
      continue;
    }
    const inputs = node.inputs.map((input) => values.get(input)!);
    node.op.evaluate(inputs, node.attrs, node.outputs).forEach(({ shape, data }, i) => {
      const tensor = node.outputs[i]!;
      values.set(tensor, { shape, data: tensor.dtype === "float32" ? data.map(inRange) : data });
    });
  }
  // Operations may hand on what they are given, and constants are the graph's own.
  return outputs.map((tensor) => ({ shape: tensor.shape, data: values.get(tensor)!.data.slice() }));
}

function fedValues(name: string, { shape, dtype }: Spec, feeds: Feeds): Float64Array {
  const fail = (why: string): never => {
    throw new UserError("interpret/feed", `input "${name}": ${why}`);
  };
  const fed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
  const size = sizeOf(shape);
  if (fed === undefined) {
    const near = didYouMean(name, Object.keys(feeds));
    const hint = near === undefined ? "" : ` Is it fed as ${quoteName(near)}?`;
    return fail(`needs ${size} values, got none.${hint} Feed every input.`);
  }
  if (fed.length !== size) return fail(`needs ${size} values, got ${fed.length}. Feed every input.`);
  return Float64Array.from(fed, (value: unknown) => {
    const number = typeof value === "bigint" ? Number(value) : value;
    if (typeof number !== "number" || (dtype === "int64" && !Number.isSafeInteger(number)))
      return fail(`takes ${dtype === "int64" ? "whole numbers" : "numbers"}, got ${String(value)}.`);
    return dtype === "float32" ? inRange(number) : number;
  });
}
