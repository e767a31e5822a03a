/** @module Table of contents of onnxgrad: trace, differentiate, compile, train. */
export { didYouMean, GraphError, invariant, unknownName, UserError } from "./errors.ts";
export { rng, type Rng } from "./random/threefry.ts";
