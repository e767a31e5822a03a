// Draws images from a file that `subband export` wrote, with ONNX Runtime and nothing of ours:
//
//   node examples/sample-with-onnxruntime.mjs sampler.onnx images.png [count] [seed]
//
// Every input of the file is independent standard normal noise; its output is bytes, ready for any image library.
import { Buffer } from "node:buffer";
import * as ort from "onnxruntime-node";
import sharp from "sharp";

const [file = "sampler.onnx", out = "images.png", count = "16", seed = "0"] = process.argv.slice(2);

/** Standard normal numbers from a seed: 32-bit counter and hash, then Box and Muller. */
function normalNumbers(start) {
  let counter = start >>> 0;
  const uniform = () => {
    counter = (counter + 0x9e3779b9) >>> 0;
    let z = counter;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const session = await ort.InferenceSession.create(file);
const normal = normalNumbers(Number(seed));
const feeds = {};
for (const { name, shape } of session.inputMetadata) {
  const dims = [Number(count), ...shape.slice(1)];
  const length = dims.reduce((a, b) => a * b, 1);
  feeds[name] = new ort.Tensor("float32", Float32Array.from({ length }, normal), dims);
}
const { image } = await session.run(feeds); // uint8 [count, height, width, channels]
const [n, height, width, channels] = image.dims;

// The images side by side, in rows.
const columns = Math.ceil(Math.sqrt(n));
const tiles = Array.from({ length: n }, (_, i) => ({
  input: Buffer.from(image.data.subarray(i * height * width * channels, (i + 1) * height * width * channels)),
  raw: { width, height, channels },
  left: (i % columns) * width,
  top: Math.floor(i / columns) * height,
}));
const size = { width: columns * width, height: Math.ceil(n / columns) * height };
await sharp({ create: { ...size, channels: 3, background: "white" } })
  .composite(tiles)
  .removeAlpha()
  .png()
  .toFile(out);
console.log(`${n} images of ${width} x ${height} in ${out}`);
