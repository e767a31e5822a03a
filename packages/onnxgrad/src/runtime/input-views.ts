/**
 * @module Parts of a packed buffer as inputs of their own. A step begins by splitting the flat buffer of its parameters,
 * which copies every one of them; in the host's memory they can be fed where they lie. Such an input carries in its name
 * what it is a part of, so that whoever loads the model, in whichever thread, can feed it.
 */
import type { ModelPort } from "../onnx/model.ts";
import { input } from "../ops/source.ts";
import { rewrite } from "../passes/rewrite.ts";
import { type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import type { RuntimeTensor } from "./backend.ts";

/** A stretch of the input `of`, from element `start` on. */
interface View {
  readonly of: string;
  readonly start: number;
  readonly shape: Shape;
}

/** No other input has such a name: they begin with what they are, `state.`, `in.` or `shard`. */
const nameOf = ({ of, start, shape }: View) => `view(${start}, ${shape.join("x")}, ${of})`;

function viewNamed(name: string): View | undefined {
  const [, start, shape, of] = /^view\((\d+), ([\dx]*), (.+)\)$/.exec(name) ?? [];
  if (of === undefined) return undefined;
  return { of, start: Number(start), shape: shape === "" ? [] : shape!.split("x").map(Number) };
}

const inputName = ({ node }: Tensor) => (node.attrs as { readonly name: string }).name;

/** The input in whose memory the output of an input node lies: itself, or what it is a view of. */
export function sourceOf(x: Tensor): string | undefined {
  if (x.node.op.name !== "input") return undefined;
  const name = inputName(x);
  return viewNamed(name)?.of ?? name;
}

/** The same graph with views of flat inputs in the place of their parts, each in the shape in which it is used. */
export function withViews(outputs: readonly Tensor[]): Tensor[] {
  return rewrite(outputs, ({ op, attrs, outputs: made }, [x]) => {
    if (x?.node.op.name !== "input" || x.dtype !== "float32" || x.rank !== 1) return undefined;
    if (op.name === "split") {
      let start = 0;
      return (attrs as { readonly sizes: readonly number[] }).sizes.map((size) => {
        const view = { of: inputName(x), start, shape: [size] };
        start += size;
        return input(nameOf(view), view.shape);
      });
    }
    const view = op.name === "reshape" ? viewNamed(inputName(x)) : undefined;
    return view && [input(nameOf({ ...view, shape: made[0]!.shape }), made[0]!.shape)];
  });
}

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

/** Adds the views that a model takes to what is fed. Views of an array are made once. */
export function viewFeeder<T extends RuntimeTensor>(
  inputNames: readonly string[],
  tensor: (data: Float32Array, shape: Shape) => T,
): (feeds: Readonly<Record<string, T>>) => Readonly<Record<string, T>> {
  const views = inputNames.flatMap((name) => {
    const view = viewNamed(name);
    return view === undefined ? [] : [{ name, ...view }];
  });
  if (views.length === 0) return (feeds) => feeds;
  const known = new WeakMap<object, Readonly<Record<string, T>>>();
  const viewsOf = (name: string, data: Float32Array) => {
    let made = known.get(data);
    if (made === undefined) {
      const own = views.filter(({ of }) => of === name);
      made = Object.fromEntries(
        own.map(({ name: view, start, shape }) => [
          view,
          tensor(data.subarray(start, start + sizeOf(shape)), shape),
        ]),
      );
      known.set(data, made);
    }
    return made;
  };
  const wholes = new Set(views.map(({ of }) => of));
  return (feeds) =>
    Object.assign(
      {},
      feeds,
      ...[...wholes].map((name) => viewsOf(name, feeds[name]!.data as Float32Array)),
    ) as Record<string, T>;
}
