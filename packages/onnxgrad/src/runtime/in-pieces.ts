/**
 * @module Optimisers in pieces. The update of packed parameters is a dozen passes over vectors that are far larger than the
 * processor's caches. Taken piece by piece, what one pass writes is still there when the next one reads it, and no piece
 * whose gradient is there waits for the others or is joined to them.
 */
import { norm } from "../ops/norm.ts";
import { sum } from "../ops/sum.ts";
import { concat, split } from "../ops/concat.ts";
import { reshape } from "../ops/reshape.ts";
import { rewrite, withInputs } from "../passes/rewrite.ts";
import { inputName, portName, portNamed } from "../trace/port-names.ts";
import { apply1, type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";
import { viewOf, viewsInRow } from "./input-views.ts";

/** Elements of a piece, about. */
const PIECE = 2 ** 18;

/** The elementwise computations of vectors of one length that end in the next state. */
interface Update {
  readonly length: number;
  /** What they compute, and what they read. */
  readonly inner: ReadonlySet<Tensor>;
  readonly leaves: ReadonlySet<Tensor>;
}

/**
 * The same values, where vectors of the next state that are computed element by element come in pieces: views in the
 * place of such outputs.
 */
export function inPieces(outputs: Readonly<Record<string, Tensor>>): Readonly<Record<string, Tensor>> {
  const named = Object.entries(outputs);
  const lengths = new Set(named.flatMap(([name, tensor]) => (isUpdated(name, tensor) ? [tensor.size] : [])));
  const nodes = reachable(Object.values(outputs));
  const updates = [...lengths].map((length) => updateOf(length, outputs, nodes));
  const whole = updates.filter((update) => staysInside(update, outputs, nodes));
  if (whole.length === 0) return outputs;

  const pieces = new Map<Tensor, readonly Tensor[]>();
  const updateWith = (tensor: Tensor, part: "inner" | "leaves") =>
    whole.find((update) => update[part].has(tensor));
  const sizesOf = new Map(whole.map((update) => [update, pieceSizes(update)]));
  const rewritten = rewrite(Object.values(outputs), (node, inputs) => {
    const [made] = node.outputs as [Tensor];
    if (node.outputs.some((tensor) => updateWith(tensor, "leaves"))) {
      const next = withInputs(node, inputs);
      node.outputs.forEach((tensor, i) => {
        const reading = updateWith(tensor, "leaves");
        if (reading !== undefined) pieces.set(tensor, leafPieces(next[i]!, sizesOf.get(reading)!));
      });
      return next;
    }
    const computing = updateWith(made, "inner");
    if (computing !== undefined) {
      const at = (i: number) => node.inputs.map((x, k) => pieces.get(x)?.[i] ?? inputs[k]!);
      pieces.set(
        made,
        sizesOf.get(computing)!.map((_, i) => apply1(node.op, at(i), node.attrs)),
      );
      return node.outputs; // which nothing reads any more
    }
    const summands = isTotal(node) ? pieces.get(node.inputs[0]!) : undefined;
    if (summands === undefined) return undefined;
    const total = node.op.name === "norm" ? norm : (x: Tensor) => sum(x);
    const totals = summands.map((each) => reshape(total(each), [1]));
    return [reshape(total(concat(totals, 0)), made.shape)];
  });
  return Object.fromEntries(
    named.flatMap(([name, tensor], i) => {
      const own = isUpdated(name, tensor) ? pieces.get(tensor) : undefined;
      if (own === undefined) return [[name, rewritten[i]!] as const];
      const views = viewsInRow(
        name,
        own.map(({ size }) => size),
      );
      return own.map((piece, k) => [portName(views[k]!), piece] as const);
    }),
  );
}

const isVector = ({ rank, dtype, size }: Tensor, length: number) =>
  rank === 1 && dtype === "float32" && size === length;

/** Whether a node computes a vector of `length` element by element, from such vectors and scalars. */
const isInner = ({ op, inputs, outputs }: GraphNode, length: number) =>
  op.traits.elementwise === true &&
  outputs.length === 1 &&
  isVector(outputs[0]!, length) &&
  inputs.every((x) => x.size === 1 || isVector(x, length));

/** What is made of everything, and of what is made of its parts, in the same way: sums, and norms of gradients. */
const isTotal = ({ op, outputs: [made] }: GraphNode) =>
  op.name === "norm" || (op.name === "sum" && made!.size === 1);

const isUpdated = (name: string, { size, node }: Tensor) =>
  portNamed(name)?.is === "next" && size >= 2 * PIECE && isInner(node, size);

function updateOf(
  length: number,
  outputs: Readonly<Record<string, Tensor>>,
  nodes: readonly GraphNode[],
): Update {
  const inner = new Set<Tensor>();
  const leaves = new Set<Tensor>();
  const stack = Object.entries(outputs).flatMap(([name, tensor]) =>
    tensor.size === length && isUpdated(name, tensor) ? [tensor] : [],
  );
  for (const node of nodes)
    if (isTotal(node) && isVector(node.inputs[0]!, length)) stack.push(node.inputs[0]!);
  for (let tensor = stack.pop(); tensor !== undefined; tensor = stack.pop()) {
    if (inner.has(tensor) || leaves.has(tensor)) continue;
    const isComputed = isInner(tensor.node, length);
    (isComputed ? inner : leaves).add(tensor);
    if (isComputed) stack.push(...tensor.node.inputs.filter((x) => isVector(x, length)));
  }
  return { length, inner, leaves };
}

/** Whether nothing else needs a vector of the update whole: sums over it do not. */
function staysInside(
  { inner }: Update,
  outputs: Readonly<Record<string, Tensor>>,
  nodes: readonly GraphNode[],
): boolean {
  const isPieced = (node: GraphNode) => inner.has(node.outputs[0]!) || isTotal(node);
  return (
    nodes.every((node) => !node.inputs.some((x) => inner.has(x)) || isPieced(node)) &&
    Object.entries(outputs).every(([name, tensor]) => !inner.has(tensor) || isUpdated(name, tensor))
  );
}

/** Pieces that end where the joined parts of a gradient do, or lie within one. */
function pieceSizes({ length, leaves }: Update): readonly number[] {
  const joined = [...leaves].find(({ node }) => node.op.name === "concat");
  const sizes: number[] = [];
  let open = 0;
  const close = () => {
    if (open > 0) sizes.push(open);
    open = 0;
  };
  for (const size of joined?.node.inputs.map((part) => part.size) ?? [length]) {
    const count = Math.round(size / PIECE);
    if (count > 1) {
      close();
      sizes.push(...evenly(size, count));
    } else if ((open += size) >= PIECE) close();
  }
  close();
  return sizes;
}

const evenly = (size: number, count: number) =>
  Array.from(
    { length: count },
    (_, i) => Math.floor((size * (i + 1)) / count) - Math.floor((size * i) / count),
  );

/** The pieces of what an update reads. */
function leafPieces(leaf: Tensor, sizes: readonly number[]): readonly Tensor[] {
  const { op, inputs } = leaf.node;
  const name = inputName(leaf.node);
  if (name !== undefined) return viewsInRow(name, sizes).map(viewOf);
  return op.name === "concat" ? piecesOfJoined(inputs, sizes) : split(leaf, sizes, 0);
}

function piecesOfJoined(parts: readonly Tensor[], sizes: readonly number[]): readonly Tensor[] {
  const pieces: Tensor[][] = sizes.map(() => []);
  let at = 0; // the piece that is being filled
  let room = sizes[0]!;
  for (const part of parts) {
    const cuts: number[] = [];
    const first = at;
    for (let left = part.size; left > 0;) {
      const cut = Math.min(left, room);
      cuts.push(cut);
      left -= cut;
      room -= cut;
      if (room === 0 && at + 1 < sizes.length) room = sizes[++at]!;
    }
    split(part, cuts, 0).forEach((each, i) => pieces[first + i]!.push(each));
  }
  return pieces.map((own) => (own.length === 1 ? own[0]! : concat(own, 0)));
}
