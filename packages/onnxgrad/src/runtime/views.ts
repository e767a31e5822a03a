/** @module Views of packed buffers given to a model that names them (`input-views.ts`): all that whoever runs one needs. */
import { type Port, portNamed } from "../trace/port-names.ts";
import { type Shape, sizeOf } from "../trace/tensor.ts";
import type { RuntimeTensor } from "./backend.ts";

/** A stretch of another input or output. */
export type View = Port & { readonly is: "view" };

/** The view that an input or output of this name is. */
export function viewNamed(name: string): View | undefined {
  const port = portNamed(name);
  return port?.is === "view" ? port : undefined;
}

/**
 * Gives a model with these inputs, or outputs, the views that are among them in the place of what they are parts of. Views
 * of an array are made once.
 */
export function viewer<T extends RuntimeTensor>(
  names: readonly string[],
  tensor: (data: Float32Array, shape: Shape) => T,
): (tensors: Readonly<Record<string, T>>) => Readonly<Record<string, T>> {
  const views = names.flatMap((name) => {
    const view = viewNamed(name);
    return view === undefined ? [] : [{ name, ...view }];
  });
  if (views.length === 0) return (tensors) => tensors;
  const wholes = new Set(views.map(({ of }) => of));
  const alsoWhole = new Set(names);
  // One array may be fed under several names.
  const known = new Map([...wholes].map((of) => [of, new WeakMap<object, Readonly<Record<string, T>>>()]));
  const viewsOf = (whole: string, data: Float32Array) => {
    let made = known.get(whole)!.get(data);
    if (made === undefined) {
      const own = views.filter(({ of }) => of === whole);
      made = Object.fromEntries(
        own.map(({ name, start, shape }) => [
          name,
          tensor(data.subarray(start, start + sizeOf(shape)), shape),
        ]),
      );
      known.get(whole)!.set(data, made);
    }
    return made;
  };
  return (tensors) =>
    Object.assign(
      {},
      ...Object.entries(tensors).map(([name, each]) =>
        wholes.has(name)
          ? { ...viewsOf(name, each.data as Float32Array), ...(alsoWhole.has(name) && { [name]: each }) }
          : { [name]: each },
      ),
    ) as Record<string, T>;
}
