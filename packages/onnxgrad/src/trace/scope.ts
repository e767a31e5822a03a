/** @module The module path: which part of the user's model is being traced, for error messages and printed graphs. */

const stack: string[] = [];

/** Runs `build` with `name` appended to the module path of every node that it records. */
export function scope<T>(name: string, build: () => T): T {
  stack.push(name);
  try {
    return build();
  } finally {
    stack.pop();
  }
}

/** The current path, e.g. `unet.down.0`; empty outside any {@link scope}. */
export function modulePath(): string {
  return stack.join(".");
}
