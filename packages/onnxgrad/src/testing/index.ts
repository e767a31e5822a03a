/** @module Helpers for numeric tests, shared by the packages of this repository. */
export { expectClose, type Tolerance } from "./expect-close.ts";
