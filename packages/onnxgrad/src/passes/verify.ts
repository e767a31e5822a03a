/** @module What a legal graph is: every node's recorded outputs are those its shape rule gives. Run after passes in tests. */
import { invariant } from "../errors.ts";
import { formatSpec, reachable, type Tensor } from "../trace/tensor.ts";

/** @throws Error `internal: ...` naming the first node whose shapes or order are wrong. */
export function verify(outputs: readonly Tensor[]): void {
  for (const node of reachable(outputs)) {
    const specs = node.op.infer(node.inputs, node.attrs);
    invariant(
      specs.length === node.outputs.length,
      `${node.op.name} at ${node.path}: ${node.outputs.length} outputs, rule gives ${specs.length}`,
    );
    specs.forEach((spec, i) => {
      const got = formatSpec(node.outputs[i]!);
      invariant(
        got === formatSpec(spec),
        `${node.op.name} at ${node.path}: output ${i} is ${got}, rule gives ${formatSpec(spec)}`,
      );
    });
    for (const input of node.inputs)
      invariant(input.node.id < node.id, `${node.op.name} at ${node.path}: input made later than its user`);
  }
}
