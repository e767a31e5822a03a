/**
 * @module Which buffers of the state a step may overwrite with their next values. The runtime is given one array to read
 * and to write then, which it does not know; that is right whenever the last node, the one that writes, can only run after
 * every other that reads. Halves the memory of parameters and moments, and spares the caches.
 */
import type { OpName } from "../ops/registry.ts";
import { scalarValue } from "../ops/source.ts";
import { type GraphNode, reachable, sameShape, type Tensor } from "../trace/tensor.ts";
import { sourceOf } from "./input-views.ts";

/** Operations that read an element only to write it: what may write. */
const ELEMENTWISE: ReadonlySet<string> = new Set<OpName>(["add", "sub", "mul", "div", "maximum", "minimum"]);
/** What the runtime may merge with an addition of its result; the whole is then no elementwise operation. */
const MERGED: ReadonlySet<string> = new Set<OpName>([
  "matmul",
  "conv2d",
  "conv2dInputGrad",
  "conv2dWeightGrad",
]);
/** What hands its input's memory on, or may where it changes nothing or moves no element. */
const HANDS_ON: ReadonlySet<string> = new Set<OpName>([
  "reshape",
  "stopGradient",
  "transpose",
  "broadcastTo",
  "slice",
  "unslice",
]);
/** Operations of several outputs that are one node of the runtime: all of it has run when one output is there. */
const ONE_NODE: ReadonlySet<string> = new Set<OpName>(["split", "standardize"]);

/** Names of the outputs `next.<entry>` of a graph that may be written over their inputs `state.<entry>`. */
export function overwritable(outputs: Readonly<Record<string, Tensor>>): ReadonlySet<string> {
  const nodes = reachable(Object.values(outputs));
  /** The input whose memory a tensor is, or may be. */
  const memory = new Map<Tensor, string>();
  const readers = new Map<string, GraphNode[]>();
  for (const node of nodes) {
    const [first] = node.outputs;
    const own = sourceOf(first!);
    if (own !== undefined) {
      memory.set(first!, own);
      continue;
    }
    const read = new Set(node.inputs.flatMap((x) => memory.get(x) ?? []));
    if (mayHandOn(node)) for (const each of read) memory.set(first!, each);
    if (node.op.name === "reshape") continue;
    for (const each of read) readers.set(each, [...(readers.get(each) ?? []), node]);
  }
  const handedOut = new Set(Object.values(outputs).map((tensor) => memory.get(tensor)));
  return new Set(
    Object.entries(outputs).flatMap(([name, { node: writer }]) => {
      const [, entry] = /^next\.(.+)$/.exec(name) ?? [];
      const source = `state.${entry}`;
      if (entry === undefined || handedOut.has(source) || !ELEMENTWISE.has(writer.op.name)) return [];
      const before = new Set(reachable(writer.inputs));
      const isSafe = (reader: GraphNode) =>
        reader === writer
          ? readsAsItWrites(writer, source, memory)
          : before.has(reader) && (reader.outputs.length === 1 || ONE_NODE.has(reader.op.name));
      return (readers.get(source) ?? []).every(isSafe) ? [name] : [];
    }),
  );
}

function mayHandOn({ op, inputs, outputs }: GraphNode): boolean {
  if (HANDS_ON.has(op.name)) return inputs[0]!.size === outputs[0]!.size;
  // The runtime leaves out arithmetic that changes nothing.
  const neutral = { add: 0, sub: 0, mul: 1, div: 1 }[op.name];
  return neutral !== undefined && inputs.some((x) => scalarValue(x) === neutral);
}

function readsAsItWrites(
  { inputs, outputs }: GraphNode,
  source: string,
  memory: ReadonlyMap<Tensor, string>,
): boolean {
  return inputs.every((x) =>
    memory.get(x) === source ? sameShape(x.shape, outputs[0]!.shape) : !MERGED.has(x.node.op.name),
  );
}
