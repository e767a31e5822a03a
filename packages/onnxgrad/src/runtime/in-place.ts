/**
 * @module Which buffers of the state a step may overwrite with their next values. The runtime is given one array to read
 * and to write then, which it does not know; that is right whenever the last node, the one that writes, can only run after
 * every other that reads. Halves the memory of parameters and moments, and spares the caches.
 */
import { scalarValue } from "../ops/source.ts";
import { portName, portNamed } from "../trace/port-names.ts";
import { type GraphNode, reachable, sameShape, type Tensor } from "../trace/tensor.ts";
import { sourceOf, type Stretch, stretchNamed } from "./input-views.ts";

const overlap = (a: Stretch | undefined, b: Stretch) =>
  a !== undefined && a.of === b.of && a.start < b.end && b.start < a.end;

/**
 * Names of the outputs of a graph that are the next values of a buffer of the state and may be written over the present
 * ones. Of those that come in pieces (in-pieces.ts) all pieces may be.
 */
export function overwritable(outputs: Readonly<Record<string, Tensor>>): ReadonlySet<string> {
  const nodes = reachable(Object.values(outputs));
  /** The memory that a tensor is, or may be. */
  const memory = new Map<Tensor, Stretch>();
  const readers = new Map<string, { readonly node: GraphNode; readonly read: Stretch }[]>();
  for (const node of nodes) {
    const [first] = node.outputs;
    const own = sourceOf(first!);
    if (own !== undefined) {
      memory.set(first!, own);
      continue;
    }
    const reads = node.inputs.flatMap((x) => memory.get(x) ?? []);
    if (mayHandOn(node)) for (const read of reads) memory.set(first!, read);
    if (node.op.name === "reshape") continue;
    for (const read of reads) readers.set(read.of, [...(readers.get(read.of) ?? []), { node, read }]);
  }
  const handedOut = Object.values(outputs).map((tensor) => memory.get(tensor));
  const safe = new Map<string, boolean>();
  for (const [name, tensor] of Object.entries(outputs)) {
    const writer = tensor.node;
    const { of, start, end } = stretchNamed(name, tensor);
    const port = portNamed(of);
    if (port?.is !== "next" || safe.get(of) === false) continue;
    const over = { of: portName({ is: "state", name: port.name }), start, end };
    const others = (readers.get(over.of) ?? [])
      .filter(({ node, read }) => node !== writer && overlap(read, over))
      .map(({ node }) => node);
    safe.set(
      of,
      writer.op.traits.overwrites === true &&
        !handedOut.some((each) => overlap(each, over)) &&
        readsAsItWrites(writer, over, memory) &&
        others.every(({ op, outputs: made }) => made.length === 1 || op.traits.oneNode) &&
        allLeadTo(writer, others),
    );
  }
  return new Set([...safe].flatMap(([name, isSafe]) => (isSafe ? [name] : [])));
}

/** Whether `node` needs all of `others`, near ones found first. */
function allLeadTo(node: GraphNode, others: readonly GraphNode[]): boolean {
  const missing = new Set(others);
  const seen = new Set([node]);
  for (const each of seen) {
    missing.delete(each);
    if (missing.size === 0) return true;
    for (const { node: source } of each.inputs) seen.add(source);
  }
  return false;
}

function mayHandOn({ op, inputs, outputs }: GraphNode): boolean {
  const { handsOn, neutral } = op.traits;
  if (handsOn) return inputs[0]!.size === outputs[0]!.size;
  return neutral !== undefined && inputs.some((x) => scalarValue(x) === neutral);
}

function readsAsItWrites(
  { inputs, outputs }: GraphNode,
  over: Stretch,
  memory: ReadonlyMap<Tensor, Stretch>,
): boolean {
  return inputs.every((x) => {
    const read = memory.get(x);
    // The runtime may merge a product with an addition of its result; the whole is then no elementwise operation.
    if (!overlap(read, over)) return x.node.op.macs === null;
    return read!.start === over.start && sameShape(x.shape, outputs[0]!.shape);
  });
}
