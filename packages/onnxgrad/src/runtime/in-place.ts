/**
 * @module Which buffers of the state a step may overwrite with their next values. The runtime is given one array to read
 * and to write then, which it does not know; that is right whenever the last node, the one that writes, can only run after
 * every other that reads. Halves the memory of parameters and moments, and spares the caches.
 */
import type { OpName } from "../ops/registry.ts";
import { type GraphNode, reachable, sameShape, type Tensor } from "../trace/tensor.ts";
import { sourceOf } from "./input-views.ts";

/** Operations that read an element only to write it. */
const ELEMENTWISE: ReadonlySet<string> = new Set<OpName>(["add", "sub", "mul", "div", "maximum", "minimum"]);
/** What the runtime may merge with an addition of its result; the whole is then no elementwise operation. */
const MERGED: ReadonlySet<string> = new Set<OpName>([
  "matmul",
  "conv2d",
  "conv2dInputGrad",
  "conv2dWeightGrad",
]);

/** Names of the outputs `next.<entry>` of a graph that may be written over their inputs `state.<entry>`. */
export function overwritable(outputs: Readonly<Record<string, Tensor>>): ReadonlySet<string> {
  const nodes = reachable(Object.values(outputs));
  /** The input whose memory a tensor is: reshapes hand it on. */
  const memory = new Map<Tensor, string>();
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    const [first] = node.outputs;
    const of = node.op.name === "reshape" ? memory.get(node.inputs[0]!) : sourceOf(first!);
    if (of !== undefined) memory.set(first!, of);
    else
      for (const each of new Set(node.inputs.map((x) => memory.get(x))))
        if (each !== undefined) readers.set(each, [...(readers.get(each) ?? []), node]);
  }
  const handedOut = new Set(Object.values(outputs).map((tensor) => memory.get(tensor)));
  return new Set(
    Object.entries(outputs).flatMap(([name, tensor]) => {
      const [, entry] = /^next\.(.+)$/.exec(name) ?? [];
      const source = `state.${entry}`;
      if (entry === undefined || handedOut.has(source)) return [];
      const writer = tensor.node;
      const before = new Set(reachable(writer.inputs));
      const isSafe = (reader: GraphNode) =>
        reader === writer ? readsAsItWrites(writer, source, memory) : before.has(reader);
      return (readers.get(source) ?? []).every(isSafe) ? [name] : [];
    }),
  );
}

function readsAsItWrites(
  { op, inputs, outputs }: GraphNode,
  source: string,
  memory: ReadonlyMap<Tensor, string>,
): boolean {
  return (
    ELEMENTWISE.has(op.name) &&
    inputs.every((x) =>
      memory.get(x) === source ? sameShape(x.shape, outputs[0]!.shape) : !MERGED.has(x.node.op.name),
    )
  );
}
