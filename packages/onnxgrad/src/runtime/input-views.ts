/**
 * @module Parts of a packed buffer as inputs and outputs of their own. A step begins by splitting the flat buffer of its
 * parameters, which copies every one of them; in the host's memory they can be fed where they lie, and what a step makes in
 * pieces can be written there. Such an input or output carries in its name what it is a part of, so that whoever loads the
 * model, in whichever thread, can give it.
 */
import type { ModelPort } from "../onnx/model.ts";
import { input } from "../ops/source.ts";
import type { Rule } from "../passes/rewrite.ts";
import { inputName, portName } from "../trace/port-names.ts";
import type { Shape, Tensor } from "../trace/tensor.ts";
import { type View, viewNamed } from "./views.ts";

/** A view as an input. */
export const viewOf = (view: View): Tensor => input(portName(view), view.shape);

/** Views of `of` one after the other, of these sizes. */
export function viewsInRow(of: string, sizes: readonly number[]): readonly View[] {
  let start = 0;
  return sizes.map((size) => {
    const view: View = { is: "view", of, start, shape: [size] };
    start += size;
    return view;
  });
}

/** A stretch of memory by the name of what it is a part of. */
export interface Stretch {
  readonly of: string;
  readonly start: number;
  readonly end: number;
}

/** The memory that an input or output of this name lies in: its own, or a part of another's. */
export function stretchNamed(name: string, { size }: Tensor): Stretch {
  const { of, start } = viewNamed(name) ?? { of: name, start: 0 };
  return { of, start, end: start + size };
}

/** The memory that the output of an input node lies in. */
export function sourceOf(x: Tensor): Stretch | undefined {
  const name = inputName(x.node);
  return name === undefined ? undefined : stretchNamed(name, x);
}

/** Puts views of flat inputs in the place of their parts, each in the shape in which it is used. */
export const partsToViews: Rule = ({ op, attrs, outputs: made }, [x]) => {
  const name = x && inputName(x.node);
  if (name === undefined || x?.dtype !== "float32" || x.rank !== 1) return undefined;
  if (op.name === "split")
    return viewsInRow(name, (attrs as { readonly sizes: readonly number[] }).sizes).map(viewOf);
  const view = op.name === "reshape" ? viewNamed(name) : undefined;
  return view && [viewOf({ ...view, shape: made[0]!.shape })];
};

/** What must be fed to a model with these inputs: views give way to what they are parts of. */
export function wholeInputs(ports: readonly ModelPort[], shapeOf: (name: string) => Shape): ModelPort[] {
  const wholes = new Map<string, ModelPort>();
  for (const port of ports) {
    const of = viewNamed(port.name)?.of;
    const whole: ModelPort =
      of === undefined ? port : { name: of, spec: { shape: shapeOf(of), dtype: "float32" } };
    if (!wholes.has(whole.name)) wholes.set(whole.name, whole);
  }
  return [...wholes.values()];
}
