/**
 * @module What lets one model serve any batch. Shapes are static in a trace, so the graph is traced with a batch that is
 * a recognisable prime; lowering then writes extents that are multiples of it so that the runtime finds them out, and
 * refuses whatever would write the prime itself into the model.
 */
import { shapeError } from "../ops/define-op.ts";
import { scope } from "../trace/scope.ts";
import type { GraphNode, Shape } from "../trace/tensor.ts";

/** The batch that a graph was traced with, and its name in the model. */
export interface DynamicBatch {
  /** A prime that divides no other extent of the graph, e.g. 977. */
  readonly traced: number;
  /** Symbolic first dimension of the model's inputs and outputs, e.g. `batch`. */
  readonly name: string;
}

/** Keeps the traced batch out of a model while its nodes are lowered. */
export class BatchGuard {
  readonly #traced: number;
  #node: GraphNode | undefined;

  constructor({ traced }: DynamicBatch) {
    this.#traced = traced;
  }

  /** Whether an extent holds the batch. */
  holds(extent: number): boolean {
    return extent !== 0 && extent % this.#traced === 0;
  }

  /**
   * Begins the lowering of `node`.
   * @throws GraphError when the node takes the batch in and leaves it out of a result: samples must stay apart.
   */
  enter(node: GraphNode): void {
    this.#node = node;
    const carried = ({ shape }: { readonly shape: Shape }) => shape.some((extent) => this.holds(extent));
    if (node.inputs.some(carried) && !node.outputs.every(carried))
      this.#fail("cuts or mixes the samples of the batch", "Treat every sample alone.");
  }

  /** The target of a Reshape, with -1 for the dimension that holds the batch. */
  shape(dims: Shape): number[] {
    if (dims.filter((extent) => this.holds(extent)).length > 1)
      this.#fail(`spreads the batch over the dimensions [${dims.join(",")}]`, "One of them can be inferred.");
    return dims.map((extent) => (this.holds(extent) ? -1 : extent));
  }

  /** The target of an Expand, with 1 (keep what is there) for dimensions that hold the batch. */
  expansion(from: Shape, to: Shape): number[] {
    return to.map((extent, axis) => {
      if (!this.holds(extent)) return extent;
      if (from[axis - to.length + from.length] !== extent)
        this.#fail(
          `repeats a tensor of every sample to [${to.join(",")}]`,
          "Let arithmetic broadcast it, or add it to a tensor that has the batch.",
        );
      return 1;
    });
  }

  /** Refuses a constant that has the extent of the batch, or names positions by it. */
  refuse(what: string, numbers: Iterable<number>): void {
    for (const n of numbers)
      if (this.holds(n))
        this.#fail(
          `writes the batch into the model (${what} ${n})`,
          "Treat every sample alone, and let constants broadcast.",
        );
  }

  #fail(problem: string, remedy: string): never {
    const node = this.#node!;
    throw scope(node.path, () =>
      shapeError(node.op.name, `${problem}, which must be free to change`, node.inputs, remedy),
    );
  }
}
