/**
 * @module WebGPU for the tests of the Node backend: the machine's own GPU where it has one, else SwiftShader, the
 * software GPU that Debian's `chromium` brings along (with `libvulkan1`, the loader that finds it).
 */
import { existsSync } from "node:fs";
import { node } from "onnxgrad/node";
import { compile, type Backend, mul } from "onnxgrad";

/** Where Debian's chromium describes SwiftShader to the Vulkan loader. */
const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** Why WebGPU cannot be tested here; undefined when it can. Call it before anything else uses the GPU. */
export async function whyNoWebgpu(): Promise<string | undefined> {
  // The loader reads the variable when the first session is made.
  if (existsSync(SWIFTSHADER)) process.env["VK_ICD_FILENAMES"] ??= SWIFTSHADER;
  try {
    const program = await compile(webgpu(), { inputs: { x: [1] } }, ({ x }) => ({ y: mul(x, 2) }));
    await program.run({ x: 1 });
    await program.dispose();
    return undefined;
  } catch (error) {
    if (!(error instanceof Error && "code" in error && String(error.code).startsWith("webgpu/"))) throw error;
    return `no WebGPU here (${String(error.code)}): apt-get install chromium libvulkan1`;
  }
}

/** The backend, one thread for what falls back to the CPU. */
export function webgpu(options: { readonly cpuFallback?: boolean } = {}): Backend {
  return node({ provider: "webgpu", threads: 1, ...options });
}
