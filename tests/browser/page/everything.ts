/** @module All that onnxgrad has for a browser: what its bundle size is measured of. A page takes what it uses. */
export * from "onnxgrad";
export * from "onnxgrad/web";
