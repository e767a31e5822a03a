/** @module The slow float64 interpreter: evaluates a traced graph with each operation's reference, as the tests' oracle. */
import { UserError } from "../errors.ts";
import { inRange, type RefArray } from "../ops/define-op.ts";
import { reachable, type Tensor } from "../trace/tensor.ts";

/**
 * Evaluates `outputs` with the precision of float64 and the range of float32, feeding inputs by name.
 * @throws UserError when an input is not fed or has another number of elements.
 */
export function interpret(
  outputs: readonly Tensor[],
  feeds: Readonly<Record<string, ArrayLike<number>>>,
): RefArray[] {
  const values = new Map<Tensor, RefArray>();
  for (const node of reachable(outputs)) {
    if (node.op.name === "input") {
      const tensor = node.outputs[0]!;
      const { name } = node.attrs as { name: string };
      const fed = Object.hasOwn(feeds, name) ? feeds[name] : undefined;
      if (fed === undefined || fed.length !== tensor.size)
        throw new UserError(
          "interpret/feed",
          `input "${name}": needs ${tensor.size} values, got ${fed?.length ?? "none"}. Feed every input.`,
        );
      values.set(tensor, { shape: tensor.shape, data: Float64Array.from(fed) });
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
