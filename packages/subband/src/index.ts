/** @module Table of contents of subband. */
export { UserError } from "onnxgrad";
