/** @module Graphs as text, one node a line: for snapshots in tests and for looking at what was traced. */
import { formatSpec, type GraphNode, reachable, type Tensor } from "./tensor.ts";

/** Longest list of numbers that is printed whole. */
const SHOWN = 6;

/**
 * Everything that `outputs` depend on, in topological order, and the outputs themselves. Nodes are numbered from 0 in
 * the order of printing, so equal graphs give equal text.
 *
 * @example
 * // %0 = input {"name":"x"}: [2]
 * // %1 = exp %0: [2] (net.head)
 * // return %1
 */
export function printGraph(outputs: readonly Tensor[]): string {
  const nodes = reachable(outputs);
  const numbers = new Map(nodes.map((node, i) => [node, i]));
  const name = ({ node, index }: Tensor) =>
    `%${numbers.get(node)}${node.outputs.length > 1 ? `.${index}` : ""}`;
  const lines = nodes.map((node) => {
    const call = [node.op.name, ...node.inputs.map(name), printAttrs(node)].filter((part) => part !== "");
    const place = node.path === "" ? "" : ` (${node.path})`;
    return `%${numbers.get(node)} = ${call.join(" ")}: ${node.outputs.map(formatSpec).join(", ")}${place}`;
  });
  return [...lines, `return ${outputs.map(name).join(", ")}`].join("\n");
}

/** Attributes as JSON; shapes and types that the outputs show already are left out. */
function printAttrs({ attrs }: GraphNode): string {
  const entries = Object.entries(attrs as Readonly<Record<string, unknown>>).flatMap(([key, value]) => {
    if (key === "shape" || key === "dtype") return [];
    return [[key, value instanceof Float64Array ? printValues(value) : value] as const];
  });
  return entries.length === 0 ? "" : JSON.stringify(Object.fromEntries(entries));
}

function printValues(values: Float64Array): unknown {
  if (values.length === 1) return values[0];
  return values.length <= SHOWN ? [...values] : `${values.length} values`;
}
