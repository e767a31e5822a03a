/**
 * @module Convolutions with kernels of three rows by less than half of the multiplications, after Winograd: four rows of the
 * output follow from six products instead of twelve, six from eight instead of eighteen (Cook and Toom's F(4, 3) and
 * F(6, 3); Lavin and Gray 2016). The products are convolutions along rows by ONNX Runtime's blocked kernels (blocked.ts). A
 * row of an image, with all channels of its pixels, is one piece of memory here, so that rows are gathered by copies and
 * combined by matrix products. Columns are left alone: further passes over the features would take what is saved.
 *
 * Features by rows are [n, rows, 1, c columns], the last of which are [c / block, columns, block]; c is filled up to whole
 * blocks, and rows to whole tiles, with what nobody reads.
 */
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { convOfBlocks, fromBlocks, toBlocks } from "./blocked.ts";
import { conv2dInputGradOp, conv2dOp } from "./conv.ts";
import { adjointGeometry, type ConvGeometry, type ConvShapes, outputShape } from "./conv-geometry.ts";
import { defineOp, type LowerContext, type OpDefinition, type RefArray } from "./define-op.ts";
import { emit1, reshaped, reversed, transposed } from "./emit.ts";

/** Rows of a kernel. */
const KERNEL = 3;
/** Channels of the input from which fewer products outweigh the further passes over the features. */
const CHANNELS = 48;

/** How a tile of the output is computed: a matrix on either side of the products, and one for kernels. */
interface Tile {
  /** Rows of the output. */
  readonly rows: number;
  /** Rows of the input that it reaches, and products for it. */
  readonly reach: number;
  /** What each product takes of the rows of a kernel: [reach][KERNEL]. */
  readonly ofKernel: Matrix;
  /** What each product takes of the rows of the input: [reach][reach]. */
  readonly ofInput: Matrix;
  /** What each row of the output takes of the products: [rows][reach]. */
  readonly toOutput: Matrix;
  /** Products that give every row of the output 1: [reach]. */
  readonly alike: readonly number[];
}

type Matrix = readonly (readonly number[])[];

/** The coefficients of (x - a) (x - b) ..., the constant one first. */
const withRoots = (roots: readonly number[]): number[] =>
  roots.reduce((product, root) => [...product, 0].map((own, i) => (product[i - 1] ?? 0) - root * own), [1]);

const transposedMatrix = (matrix: Matrix): Matrix => matrix[0]!.map((_, i) => matrix.map((row) => row[i]!));

/**
 * A product of polynomials is known by its values at these points and its leading coefficient, its value at infinity;
 * Lagrange's polynomials give back its coefficients. A convolution is the adjoint of such a product.
 */
function tileOf(points: readonly number[]): Tile {
  const reach = points.length + 1;
  const rows = reach - KERNEL + 1;
  const powers = (count: number): Matrix => [
    ...points.map((point) => Array.from({ length: count }, (_, i) => point ** i)),
    Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0)),
  ];
  const lagrange = points.map((point) => {
    const others = points.filter((each) => each !== point);
    const scale = others.reduce((product, each) => product * (point - each), 1);
    return withRoots(others).map((each) => each / scale);
  });
  return {
    rows,
    reach,
    ofKernel: powers(KERNEL),
    ofInput: [...lagrange.map((each) => [...each, 0]), withRoots(points)],
    toOutput: transposedMatrix(powers(rows)),
    // Polynomials that are 1 everywhere have the value 1 at 1.
    alike: [...lagrange.map((each) => each.reduce((sum, value) => sum + value)), 0],
  };
}

/** The most exact first. Errors are 1.7 and 3.7 times that of the direct sum; with points for 8 rows, 9 times. */
const TILES = [tileOf([0, 5 / 8, -5 / 8, 8 / 5, -8 / 5]), tileOf([0, 1, -1, 1 / 2, -1 / 2, 2, -2])];

/** The tile that takes the fewest products for so many rows, of equal ones the most exact, and how many of it. */
function tilesFor(rows: number): Tile & { readonly count: number } {
  const all = TILES.map((tile) => ({ ...tile, count: Math.ceil(rows / tile.rows) }));
  return all.reduce((best, each) => (each.count * each.reach < best.count * best.reach ? each : best));
}

/** Whether a convolution of features that fill blocks is one that this computes, and faster. */
export const fitsWinograd = (
  { x: [, c, , w], w: [, , kh], y: [, , rows, columns] }: ConvShapes,
  { stride, dilation, groups }: ConvGeometry,
  block: number,
): boolean =>
  groups === 1 &&
  kh === KERNEL &&
  stride[0] === 1 &&
  dilation[0] === 1 &&
  c! % block === 0 &&
  c! >= CHANNELS &&
  rows! >= TILES[0]!.rows &&
  w! > 1 &&
  columns! > 1;

/** Channels of the blocks that so many channels take. */
const filled = (channels: number, block: number) => Math.ceil(channels / block) * block;

interface ByRows {
  /** Channels of a block. */
  readonly block: number;
  /** Shape of the features as an image, [n, c, h, w]. */
  readonly image: Shape;
}

interface ConvByRows extends ByRows, ConvGeometry {
  /** Whether the features that come in are by rows; they are an image otherwise. */
  readonly byRows: boolean;
  /** Whether this is the input gradient of a convolution by w, which is [in, out, kh, kw] then: its taps are reversed. */
  readonly adjoint: boolean;
}

function shapeByRows([n, c, h, w]: Shape, block: number): Shape {
  const { rows, count } = tilesFor(h!);
  return [n!, count * rows, 1, filled(c!, block) * w!];
}

/** The shape of the output as an image. */
const imageOf = ({ image, adjoint, ...g }: ConvByRows, { shape }: { readonly shape: Shape }) =>
  outputShape(
    "conv2dByRows",
    { shape: image, dtype: "float32" },
    { shape: adjoint ? [shape[1]!, shape[0]!, ...shape.slice(2)] : shape, dtype: "float32" },
    g,
  );

/** y = conv(x, w) (+ bias) with y by rows, and x by rows or not, where {@link fitsWinograd}. */
export const conv2dByRowsOp: OpDefinition<ConvByRows> = defineOp<ConvByRows>({
  name: "conv2dByRows",
  infer: ([, w], attrs) => [{ shape: shapeByRows(imageOf(attrs, w!), attrs.block), dtype: "float32" }],
  vjp: null,
  lower(context, [x, w, bias], { attrs, inputs: [, wSpec] }) {
    const { byRows, adjoint, block, image, stride, padding, dilation } = attrs;
    const [n, c, height, width] = image as [number, number, number, number];
    const [, out, rows, columns] = imageOf(attrs, wSpec!) as [number, number, number, number];
    const o = filled(out, block);
    const kw = wSpec!.shape[3]!;
    const tile = tilesFor(rows);
    const { count, reach } = tile;
    // Ahead of the features, so that it runs after what leads to those (onnx/execution-order.ts).
    const wide = padded(context, w!, wSpec!.shape, adjoint ? 1 : 0, o);
    const weights = kernels(context, wide, [o, c, kw], tile, attrs);
    const shift = bias && perProduct(context, padded(context, bias, [out], 0, o), o, tile);
    const reached = reachedRows(tile, height, padding[0]);
    const near = byRows ? nearRows(context, x!, reached) : nearRowsOfImage(context, x!, reached, attrs);
    // Rows outside are zeros: nothing is taken of what stands there.
    const ofInput = reached.flatMap((all) =>
      tile.ofInput.map((product) => product.map((value, i) => (all[i]!.isInside ? value : 0))),
    );
    const taken = combined(context, near, [n, count * reach, 1, c * width], ofInput, count);
    const products = convOfBlocks(
      context,
      reshaped(context, taken, [n * count, reach * c, 1, width]),
      weights,
      shift,
      [1, kw],
      {
        stride: [1, stride[1]],
        padding: [0, padding[1]],
        dilation: [1, dilation[1]],
        groups: reach,
      },
    );
    const toOutput = reached.flatMap(() => tile.toOutput);
    return [combined(context, products, [n, count * reach, 1, o * columns], toOutput, count)];
  },
  evaluate([x, w, bias], attrs) {
    const { image, block, byRows, adjoint, ...g } = attrs;
    const from = byRows ? asImage(x!, image, block) : x!;
    const shape = imageOf(attrs, w!);
    const y = { shape, dtype: "float32" } as const;
    const [, , kh, kw] = w!.shape as [number, number, number, number];
    const made = adjoint
      ? conv2dInputGradOp.evaluate([from, w!], { ...adjointGeometry(g, [kh, kw])!, shape }, [y])
      : conv2dOp.evaluate(bias ? [from, w!, bias] : [from, w!], g, [y]);
    return [asRows(made[0]!, block)];
  },
  place: null,
  macs: ({ inputs: [, w], attrs }) =>
    sizeOf(imageOf(attrs, w!)) * attrs.image[1]! * sizeOf(w!.shape.slice(2)),
  traits: {},
});

/** Features by rows as an image. */
export const imageFromRowsOp: OpDefinition<ByRows> = defineOp<ByRows>({
  name: "imageFromRows",
  infer: (_, { image }) => [{ shape: image, dtype: "float32" }],
  vjp: null,
  lower(context, [x], { attrs: { image, block } }) {
    const [n, c, h, w] = image as [number, number, number, number];
    const wide = filled(c, block);
    const blocks = wide / block;
    const pieces = reshaped(context, x!, [n, shapeByRows(image, block)[1]! * blocks, w * block]);
    const order = Array.from({ length: blocks }, (_, k) =>
      Array.from({ length: h }, (__, row) => row * blocks + k),
    );
    const planes = emit1(context, "Gather", [pieces, context.ints(order.flat())], { attrs: { axis: 1n } });
    return [fromBlocks(context, reshaped(context, planes, [n, wide, h, w]), c)];
  },
  evaluate: ([x], { image, block }) => [asImage(x!, image, block)],
  place: null,
  macs: null,
  traits: {},
});

/** {@link conv2dByRowsOp}. */
export const conv2dByRows = (inputs: readonly Tensor[], attrs: ConvByRows): Tensor =>
  apply1(conv2dByRowsOp, inputs, attrs);

/** {@link imageFromRowsOp}. */
export const imageFromRows = (rows: Tensor, attrs: ByRows): Tensor => apply1(imageFromRowsOp, [rows], attrs);

type Reached = readonly (readonly { readonly row: number; readonly isInside: boolean }[])[];

/** Of each tile the rows of the input that it reaches; one that lies outside is another instead. */
const reachedRows = (
  { count, rows, reach }: ReturnType<typeof tilesFor>,
  height: number,
  padding: number,
): Reached =>
  Array.from({ length: count }, (_, tile) =>
    Array.from({ length: reach }, (__, i) => {
      const row = tile * rows + i - padding;
      const inside = Math.min(height - 1, Math.max(0, row));
      return { row: inside, isInside: row === inside };
    }),
  );

/** The rows that tiles reach, one after the other. */
const nearRows = (context: LowerContext, x: string, reached: Reached): string =>
  emit1(context, "Gather", [x, context.ints(reached.flat().map(({ row }) => row))], { attrs: { axis: 1n } });

/** The same of an image. A row is in as many pieces as there are blocks of channels. */
function nearRowsOfImage(
  context: LowerContext,
  x: string,
  reached: Reached,
  { image, block }: ByRows,
): string {
  const [n, c, h, w] = image as [number, number, number, number];
  const pieces = reshaped(context, toBlocks(context, x), [n, (c / block) * h, w * block]);
  const of = ({ row }: { row: number }) => Array.from({ length: c / block }, (_, k) => k * h + row);
  return emit1(context, "Gather", [pieces, context.ints(reached.flat().flatMap(of))], {
    attrs: { axis: 1n },
  });
}

/** Rows of this shape, those of each of `count` tiles combined by its part of `matrix` [count to][from]. */
function combined(context: LowerContext, rows: string, shape: Shape, matrix: Matrix, count: number): string {
  const weight = context.floats([matrix.length, matrix[0]!.length, 1, 1], matrix.flat());
  return emit1(context, "Conv", [reshaped(context, rows, shape), weight], {
    attrs: { group: BigInt(count) },
  });
}

/** With zeros for channels of the output that only fill the last block: `axis` of `shape` becomes `out`. */
function padded(context: LowerContext, value: string, shape: Shape, axis: number, out: number): string {
  if (shape[axis] === out) return value;
  const pads = [...shape.map(() => 0), ...shape.map((n, i) => (i === axis ? out - n : 0))];
  return emit1(context, "Pad", [value, context.ints(pads)]);
}

/** The kernels of all products, [products out, in, 1, kw] in blocks, of w with whole blocks of channels. */
function kernels(
  context: LowerContext,
  w: string,
  [out, from, kw]: readonly [number, number, number],
  { reach, ofKernel }: Tile,
  { block, adjoint }: ConvByRows,
): string {
  const [outAt, fromAt] = adjoint ? [2, 0] : [0, 2];
  const channels = adjoint ? [from, out] : [out, from];
  const apart = reshaped(context, w, [...channels.flatMap((each) => [each / block, block]), KERNEL, kw]);
  const rows = transposed(context, apart, [4, outAt, fromAt, 5, fromAt + 1, outAt + 1]);
  const inOrder = adjoint ? reversed(context, rows, 3, kw) : rows;
  const matrix = adjoint ? ofKernel.map((row) => row.toReversed()) : ofKernel;
  const made = emit1(context, "MatMul", [
    context.floats([reach, KERNEL], matrix.flat()),
    reshaped(context, inOrder, [KERNEL, out * from * kw]),
  ]);
  return reshaped(context, made, [reach * out, from, 1, kw]);
}

/** A bias [out] of the products that gives it to every row of the output: [products out]. */
function perProduct(context: LowerContext, bias: string, out: number, { reach, alike }: Tile): string {
  return reshaped(context, emit1(context, "Mul", [context.floats([reach, 1], alike), bias]), [reach * out]);
}

/** Position by rows of every value of an image, in the order of the image. */
function* positions(image: Shape, block: number): Generator<number> {
  const [n, c, h, w] = image as [number, number, number, number];
  const [, rows] = shapeByRows(image, block) as [number, number];
  for (let b = 0; b < n; b++)
    for (let k = 0; k < c; k++)
      for (let row = 0; row < h; row++)
        for (let column = 0; column < w; column++) {
          const piece = ((b * rows + row) * filled(c, block)) / block + Math.floor(k / block);
          yield (piece * w + column) * block + (k % block);
        }
}

function asImage({ data }: RefArray, image: Shape, block: number): RefArray {
  return { shape: image, data: Float64Array.from(positions(image, block), (at) => data[at]!) };
}

function asRows({ shape: image, data }: RefArray, block: number): RefArray {
  const shape = shapeByRows(image, block);
  const rows = new Float64Array(sizeOf(shape));
  let i = 0;
  for (const at of positions(image, block)) rows[at] = data[i++]!;
  return { shape, data: rows };
}
