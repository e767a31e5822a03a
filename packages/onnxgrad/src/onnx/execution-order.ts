/**
 * @module The order in which nodes are written, which decides the order in which ONNX Runtime runs them: it walks back
 * from the outputs, depth first, and takes the input that was written last before the others. Written as traced, all
 * weight gradients of a training step would wait for the last one: every activation and every gradient would live until
 * then. Written so, each runs as soon as it can.
 */
import type { GraphNode } from "../trace/tensor.ts";

/**
 * A topological order of `nodes` (given in one), such that ONNX Runtime runs them as traced: from the end, of those
 * whose users are all written, the one to be run first.
 */
export function executionOrder(nodes: readonly GraphNode[]): GraphNode[] {
  const time = runTimes(nodes);
  const users = new Map<GraphNode, number>();
  for (const node of nodes)
    for (const source of sourcesOf(node)) users.set(source, (users.get(source) ?? 0) + 1);
  const ready = new Heap((node: GraphNode) => time.get(node)!);
  for (const node of nodes) if (!users.has(node)) ready.push(node);
  const order: GraphNode[] = [];
  for (let node = ready.pop(); node !== undefined; node = ready.pop()) {
    order.push(node);
    for (const source of sourcesOf(node)) {
      const left = users.get(source)! - 1;
      users.set(source, left);
      if (left === 0) ready.push(source);
    }
  }
  return order.reverse();
}

const sourcesOf = ({ inputs }: GraphNode) => new Set(inputs.map(({ node }) => node));

/**
 * When each node should run: as traced, but what leads to no other product (a weight gradient and its changes of
 * shape, say) right after the last of its sources that does, and what it read can be freed then.
 */
function runTimes(nodes: readonly GraphNode[]): Map<GraphNode, number> {
  const beforeProduct = new Set<GraphNode>();
  for (const node of [...nodes].reverse())
    if (node.op.macs !== null || beforeProduct.has(node))
      for (const source of sourcesOf(node)) beforeProduct.add(source);
  const after = new Map<GraphNode, number>();
  const time = new Map<GraphNode, number>();
  nodes.forEach((node, i) => {
    const start = beforeProduct.has(node)
      ? i
      : Math.max(-1, ...node.inputs.map((each) => after.get(each.node)!));
    after.set(node, start);
    time.set(node, start + i / nodes.length);
  });
  return time;
}

/** A priority queue that gives the smallest first. */
class Heap<T> {
  readonly #items: T[] = [];
  readonly #key: (item: T) => number;

  constructor(key: (item: T) => number) {
    this.#key = key;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#key(items[parent]!) <= this.#key(items[at]!)) break;
      [items[parent], items[at]] = [items[at]!, items[parent]!];
      at = parent;
    }
  }

  pop(): T | undefined {
    const items = this.#items;
    const top = items[0];
    const last = items.pop();
    if (items.length === 0 || last === undefined) return top;
    items[0] = last;
    for (let at = 0; ;) {
      let smallest = at;
      for (const child of [2 * at + 1, 2 * at + 2])
        if (child < items.length && this.#key(items[child]!) < this.#key(items[smallest]!)) smallest = child;
      if (smallest === at) break;
      [items[smallest], items[at]] = [items[at]!, items[smallest]!];
      at = smallest;
    }
    return top;
  }
}
