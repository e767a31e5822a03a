/** @module Which optimisers of ONNX Runtime would undo which pass; whoever opens a session switches them off. */

/** By the name of the pass. */
export const UNDONE_BY = {
  // It merges what is computed again with the original.
  rematerialize: ["CommonSubexpressionElimination"],
} as const;

/**
 * Optimisers of ONNX Runtime that would undo ours: those of the passes, and one that writes the last node of weight gradients
 * anew, so that they run last (onnx/execution-order.ts). As the session option `optimization.disable_specified_optimizers`.
 */
export const UNWANTED: string = [...Object.values(UNDONE_BY).flat(), "ReshapeFusion"].join(";");
