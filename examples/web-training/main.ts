/** @module The page: trains in slices of a frame, paints what the network has learnt, and draws the loss. */
import { web } from "onnxgrad/web";
import { createPainter, picture, SIDE } from "./network.ts";

/** Milliseconds of training between two frames. */
const SLICE = 100;

const element = <T extends HTMLElement>(id: string) => document.getElementById(id) as T;
const [button, error] = [element<HTMLButtonElement>("train"), element("error")];

// ONNX Runtime takes its threads when it starts: another choice is another page load.
const form = document.querySelector("form")!;
const chosen = new URLSearchParams(location.search);
for (const select of form.querySelectorAll("select")) select.value = chosen.get(select.name) ?? select.value;
form.addEventListener("change", () => form.submit());
const settings = new FormData(form);

let training = false;
let started: Promise<void> | undefined;
button.addEventListener("click", () => {
  training = !training;
  button.textContent = training ? "Pause" : "Train";
  started ??= train().catch((cause: Error) => {
    error.textContent = cause.message;
    button.disabled = true;
  });
});
paint("picture", (i) => picture(((i % SIDE) + 0.5) / SIDE, (Math.floor(i / SIDE) + 0.5) / SIDE));
paint("painting", () => [0.11, 0.1, 0.16]);

async function train(): Promise<void> {
  const provider = settings.get("provider") === "webgpu" ? "webgpu" : "wasm";
  const painter = await createPainter(web({ provider, threads: Number(settings.get("threads")) }));
  const losses: number[] = [];
  for (;;) {
    await new Promise(requestAnimationFrame);
    if (!training) continue;
    const [from, before] = [performance.now(), losses.length];
    do losses.push(await painter.train());
    while (performance.now() - from < SLICE);
    const perStep = (performance.now() - from) / (losses.length - before);
    const colours = await painter.paint();
    paint("painting", (i) => [...colours.subarray(3 * i, 3 * i + 3)]);
    drawCurve(losses);
    element("step").textContent = `step ${losses.length}`;
    element("value").textContent = losses.at(-1)!.toFixed(5);
    element("speed").textContent = `${perStep.toFixed(1)} ms a step`;
  }
}

/** Fills a canvas of SIDE x SIDE pixels; colours in [0, 1]. */
function paint(id: string, colour: (pixel: number) => readonly number[]): void {
  const canvas = element<HTMLCanvasElement>(id);
  canvas.width = canvas.height = SIDE;
  const image = new ImageData(SIDE, SIDE);
  for (let i = 0; i < SIDE * SIDE; i++)
    image.data.set([...colour(i).map((value) => 255 * value), 255], 4 * i);
  canvas.getContext("2d")!.putImageData(image, 0, 0);
}

/** The loss over the steps, from 0.1 at the top to 0.0001 at the bottom. */
function drawCurve(losses: readonly number[]): void {
  const canvas = element<HTMLCanvasElement>("loss");
  const width = (canvas.width = canvas.clientWidth * devicePixelRatio);
  const height = (canvas.height = canvas.clientHeight * devicePixelRatio);
  const context = canvas.getContext("2d")!;
  const y = (loss: number) => (height * (-1 - Math.log10(loss))) / 3;
  const line = (points: Iterable<readonly [x: number, y: number]>, colour: string) => {
    context.beginPath();
    for (const point of points) context.lineTo(...point);
    context.strokeStyle = colour;
    context.stroke();
  };
  context.lineWidth = devicePixelRatio;
  context.fillStyle = "#8f8ca8";
  context.font = `${11 * devicePixelRatio}px system-ui`;
  for (const loss of [0.01, 0.001]) {
    line([[0, y(loss)], [width, y(loss)]], "#2b2940"); // prettier-ignore
    context.fillText(String(loss), 6 * devicePixelRatio, y(loss) - 4 * devicePixelRatio);
  }
  context.lineWidth = 1.5 * devicePixelRatio;
  const every = Math.ceil(losses.length / width);
  const shown = losses.filter((_, i) => i % every === 0);
  line(shown.map((loss, i) => [(width * i) / Math.max(1, shown.length - 1), y(loss)] as const), "#ffb45e"); // prettier-ignore
}
