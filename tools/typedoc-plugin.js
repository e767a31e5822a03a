/**
 * @module What TypeDoc must know of this repository. A file opens with `@module` and says what it is, where TypeDoc
 * expects a name; the names here are those that users import.
 */
import { Converter, ReflectionKind } from "typedoc";

/** What is imported, by the entry point as TypeDoc names it. */
const NAMES = {
  "onnxgrad/src": "onnxgrad",
  "onnxgrad/src/errors": "onnxgrad/errors",
  "onnxgrad/src/random/threefry": "onnxgrad/random",
  "onnxgrad/src/runtime/node/node": "onnxgrad/node",
  "onnxgrad/src/runtime/node/node-worker": "onnxgrad/node-worker",
  "onnxgrad/src/runtime/web/web": "onnxgrad/web",
  "onnxgrad/src/testing": "onnxgrad/testing",
  "subband/src": "subband",
  "subband/src/node": "subband/node",
};

/** Called by TypeDoc, which finds it under `plugin` in typedoc.json. */
export function load(app) {
  const describe = (_context, reflection) => {
    if (!reflection.kindOf(ReflectionKind.Module)) return;
    const name = NAMES[reflection.name];
    if (name === undefined) throw new Error(`tools/typedoc-plugin.js: no name for ${reflection.name}`);
    reflection.name = name;
    reflection.comment.summary = reflection.comment.getTag("@module").content;
    reflection.comment.removeTags("@module");
  };
  // Before TypeDoc's own listener takes the description for the name.
  app.converter.on(Converter.EVENT_CREATE_DECLARATION, describe, 1000);
}
