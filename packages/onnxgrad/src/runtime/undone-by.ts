/** @module Which optimisers of ONNX Runtime would undo which pass; whoever opens a session switches them off. */

/** By the name of the pass. */
export const UNDONE_BY = {
  // It merges what is computed again with the original.
  rematerialize: ["CommonSubexpressionElimination"],
} as const;
