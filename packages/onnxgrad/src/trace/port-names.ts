/**
 * @module Names of the inputs and outputs of a compiled program. A name says what its value is (a part of the state, fed,
 * returned, from a shard, a part of another), so that whoever loads the model, in whichever thread, can give it. They are
 * written and read here alone.
 */
import type { GraphNode, Shape } from "./tensor.ts";

/** What an input or output of a compiled program is. */
export type Port =
  /** A buffer of the state, its next values, what is fed, what is returned: each by the name that the user gave it. */
  | { readonly is: "state" | "next" | "in" | "out"; readonly name: string }
  /** The output `name` of one shard, which the rest of a split program takes. */
  | { readonly is: "shard"; readonly shard: number; readonly name: string }
  /** A stretch of the port that is named `of`, from element `start` on. */
  | { readonly is: "view"; readonly of: string; readonly start: number; readonly shape: Shape };

/** The name of a port. Different ports have different names. */
export function portName(port: Port): string {
  switch (port.is) {
    case "shard":
      return `shard${port.shard}.${port.name}`;
    case "view":
      return `view(${port.start}, ${port.shape.join("x")}, ${port.of})`;
    default:
      return `${port.is}.${port.name}`;
  }
}

/** The port of this name; undefined when it is the name of none. */
export function portNamed(name: string): Port | undefined {
  const [, is, own] = /^(state|next|in|out)\.(.*)$/s.exec(name) ?? [];
  if (own !== undefined) return { is: is as "state" | "next" | "in" | "out", name: own };
  const [, shard, crossed] = /^shard(0|[1-9]\d*)\.(.*)$/s.exec(name) ?? [];
  if (crossed !== undefined) return { is: "shard", shard: Number(shard), name: crossed };
  const [, start, extents, of] = VIEW.exec(name) ?? [];
  if (of === undefined) return undefined;
  return {
    is: "view",
    of,
    start: Number(start),
    shape: extents === "" ? [] : extents!.split("x").map(Number),
  };
}

const VIEW = /^view\((0|[1-9]\d*), ((?:0|[1-9]\d*)(?:x(?:0|[1-9]\d*))*|), (.*)\)$/s;

/** The name that an input is fed by; undefined for any other node. */
export const inputName = ({ op, attrs }: GraphNode): string | undefined =>
  op.name === "input" ? (attrs as { readonly name: string }).name : undefined;
