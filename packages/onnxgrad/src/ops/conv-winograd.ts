/**
 * @module Convolutions with kernels of three rows by half of the multiplications, after Winograd: four rows of the output
 * follow from six products instead of twelve (Cook and Toom's F(4, 3); Lavin and Gray 2016). The products are convolutions
 * along rows by ONNX Runtime's blocked kernels (blocked.ts). A row of an image, with all channels of its pixels, is one
 * piece of memory here, so that rows are gathered by copies and combined by matrix products. Columns are left alone: further
 * passes over the features would take what is saved.
 *
 * Features by rows are [n, rows, 1, c columns], of which the last are [c / block, columns, block].
 */
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { convOfBlocks, fromBlocks, toBlocks } from "./blocked.ts";
import { conv2dOp } from "./conv.ts";
import { type ConvGeometry, type ConvShapes, outputShape } from "./conv-geometry.ts";
import { defineOp, type LowerContext, type OpDefinition, type RefArray } from "./define-op.ts";
import { emit1, reshaped, transposed } from "./emit.ts";

/** Rows of the output in a tile. */
const TILE = 4;
/** Rows of a kernel. */
const KERNEL = 3;
/** Rows of the input that a tile reaches, and products for it. */
const REACH = TILE + KERNEL - 1;
/** Pairs of channels from which fewer products outweigh the further passes over the features. */
const PAIRS = 2 ** 10;
/**
 * A product of polynomials is known by its values here and its leading coefficient. With these points the error is twice
 * that of the direct sum; with 0, 1, -1, 2, -2 it is 2.6 times that.
 */
const POINTS = [0, 1, -1, 1 / 2, -2] as const;

/** The coefficients of (x - a) (x - b) ..., the constant one first. */
const withRoots = (roots: readonly number[]): number[] =>
  roots.reduce((product, root) => [...product, 0].map((own, i) => (product[i - 1] ?? 0) - root * own), [1]);

/** Powers 0 to count - 1 of each point; of infinity the last one alone remains. */
const powers = (count: number): number[][] => [
  ...POINTS.map((point) => Array.from({ length: count }, (_, i) => point ** i)),
  Array.from({ length: count }, (_, i) => (i === count - 1 ? 1 : 0)),
];

/** What each product takes of the rows of a kernel: [products][KERNEL]. */
const OF_KERNEL = powers(KERNEL);
/** What each product gives to the rows of the output: [products][TILE]. */
const TO_OUTPUT = powers(TILE);
/** What each product takes of the rows of the input, coefficients of Lagrange's polynomials: [products][REACH]. */
const OF_INPUT = [
  ...POINTS.map((point) => {
    const others = POINTS.filter((each) => each !== point);
    const scale = others.reduce((product, each) => product * (point - each), 1);
    return [...withRoots(others).map((each) => each / scale), 0];
  }),
  withRoots(POINTS),
];
/** The product that gives every row of the output the same. */
const ALIKE = POINTS.indexOf(1);

/** Whether features of so many channels fill blocks, and convolutions of them are worth it. */
export const fitsWinograd = (
  { x: [, c, , w], w: [o, , kh], y: [, , rows, columns] }: ConvShapes,
  { stride, dilation, groups }: ConvGeometry,
  block: number,
): boolean =>
  groups === 1 &&
  kh === KERNEL &&
  stride[0] === 1 &&
  dilation[0] === 1 &&
  rows! % TILE === 0 &&
  c! % block === 0 &&
  o! % block === 0 &&
  o! * c! >= PAIRS &&
  w! > 1 &&
  columns! > 1;

interface ByRows {
  /** Channels of a block. */
  readonly block: number;
  /** Shape of the features as an image, [n, c, h, w]. */
  readonly image: Shape;
}

interface ConvByRows extends ByRows, ConvGeometry {
  /** Whether the features that come in are by rows; they are an image otherwise. */
  readonly byRows: boolean;
}

const shapeByRows = ([n, c, h, w]: Shape): Shape => [n!, h!, 1, c! * w!];

/** The shape of the output as an image. */
const imageOf = ({ image, ...g }: ByRows & ConvGeometry, { shape }: { readonly shape: Shape }) =>
  outputShape("conv2dByRows", { shape: image, dtype: "float32" }, { shape, dtype: "float32" }, g);

/** y = conv(x, w) (+ bias) with y by rows, and x by rows or not, where {@link fitsWinograd}. */
export const conv2dByRowsOp: OpDefinition<ConvByRows> = defineOp<ConvByRows>({
  name: "conv2dByRows",
  infer: ([, w], attrs) => [{ shape: shapeByRows(imageOf(attrs, w!)), dtype: "float32" }],
  vjp: null,
  lower(context, [x, w, bias], { attrs, inputs: [, wSpec] }) {
    const { byRows, block, image, stride, padding, dilation } = attrs;
    const [n, c, height, width] = image as [number, number, number, number];
    const [, o, rows, columns] = imageOf(attrs, wSpec!) as [number, number, number, number];
    const kw = wSpec!.shape[3]!;
    const tiles = tilesOf(rows, height, padding[0]);
    const count = tiles.length;
    const near = byRows ? nearRows(context, x!, tiles) : nearRowsOfImage(context, x!, tiles, attrs);
    const taken = combined(context, near, [n, count * REACH, 1, c * width], ofInput(tiles), count);
    const products = convOfBlocks(
      context,
      reshaped(context, taken, [n * count, REACH * c, 1, width]),
      kernels(context, w!, [o, c, kw], block),
      bias && perProduct(context, bias, o),
      [1, kw],
      {
        stride: [1, stride[1]],
        padding: [0, padding[1]],
        dilation: [1, dilation[1]],
        groups: REACH,
      },
    );
    return [combined(context, products, [n, count * REACH, 1, o * columns], toOutput(tiles), count)];
  },
  evaluate([x, w, bias], attrs) {
    const { image, block, byRows, ...g } = attrs;
    const from = byRows ? asImage(x!, image, block) : x!;
    const y = { shape: imageOf(attrs, w!), dtype: "float32" } as const;
    return [asRows(conv2dOp.evaluate(bias ? [from, w!, bias] : [from, w!], g, [y])[0]!, block)];
  },
});

/** Features by rows as an image. */
export const imageFromRowsOp: OpDefinition<ByRows> = defineOp<ByRows>({
  name: "imageFromRows",
  infer: (_, { image }) => [{ shape: image, dtype: "float32" }],
  vjp: null,
  lower(context, [x], { attrs: { image, block } }) {
    const [n, c, h, w] = image as [number, number, number, number];
    const apart = reshaped(context, x!, [n, h, c / block, w * block]);
    return [fromBlocks(context, reshaped(context, transposed(context, apart, [0, 2, 1, 3]), image), c)];
  },
  evaluate: ([x], { image, block }) => [asImage(x!, image, block)],
});

/** {@link conv2dByRowsOp}. */
export const conv2dByRows = (inputs: readonly Tensor[], attrs: ConvByRows): Tensor =>
  apply1(conv2dByRowsOp, inputs, attrs);

/** {@link imageFromRowsOp}. */
export const imageFromRows = (rows: Tensor, attrs: ByRows): Tensor => apply1(imageFromRowsOp, [rows], attrs);

type Tiles = readonly (readonly { readonly row: number; readonly isInside: boolean }[])[];

/** Of each tile the rows of the input that it reaches; one that lies outside stands for zeros, and is another. */
const tilesOf = (rows: number, height: number, padding: number): Tiles =>
  Array.from({ length: rows / TILE }, (_, tile) =>
    Array.from({ length: REACH }, (_, i) => {
      const row = tile * TILE + i - padding;
      const inside = Math.min(height - 1, Math.max(0, row));
      return { row: inside, isInside: row === inside };
    }),
  );

/** The rows that tiles reach, one after the other. */
const nearRows = (context: LowerContext, x: string, tiles: Tiles): string =>
  emit1(context, "Gather", [x, context.ints(tiles.flat().map(({ row }) => row))], { attrs: { axis: 1n } });

/** The same of an image. A row is in as many pieces as there are blocks of channels. */
function nearRowsOfImage(context: LowerContext, x: string, tiles: Tiles, { image, block }: ByRows): string {
  const [n, c, h, w] = image as [number, number, number, number];
  const pieces = reshaped(context, toBlocks(context, x), [n, (c / block) * h, 1, w * block]);
  const of = ({ row }: { row: number }) => Array.from({ length: c / block }, (_, k) => k * h + row);
  return emit1(context, "Gather", [pieces, context.ints(tiles.flat().flatMap(of))], { attrs: { axis: 1n } });
}

type Matrix = readonly (readonly number[])[];

/** What products take of the rows that tiles reach: nothing of those outside. */
const ofInput = (tiles: Tiles): Matrix =>
  tiles.flatMap((reached) =>
    OF_INPUT.map((product) => product.map((value, i) => (reached[i]!.isInside ? value : 0))),
  );

/** What the rows of the output take of products. */
const toOutput = (tiles: Tiles): Matrix =>
  tiles.flatMap(() => Array.from({ length: TILE }, (_, row) => TO_OUTPUT.map((to) => to[row]!)));

/** Rows of this shape, those of each of `count` tiles combined by its part of `matrix` [count to][from]. */
function combined(context: LowerContext, rows: string, shape: Shape, matrix: Matrix, count: number): string {
  const weight = context.floats([matrix.length, matrix[0]!.length, 1, 1], matrix.flat());
  return emit1(context, "Conv", [reshaped(context, rows, shape), weight], {
    attrs: { group: BigInt(count) },
  });
}

/** The kernels of all products, [products out, in, 1, kw] in blocks. */
function kernels(
  context: LowerContext,
  w: string,
  [out, from, kw]: readonly [number, number, number],
  block: number,
): string {
  const apart = reshaped(context, w, [out / block, block, from / block, block, KERNEL, kw]);
  const rows = reshaped(context, transposed(context, apart, [4, 0, 2, 5, 3, 1]), [KERNEL, out * from * kw]);
  const made = emit1(context, "MatMul", [context.floats([REACH, KERNEL], OF_KERNEL.flat()), rows]);
  return reshaped(context, made, [REACH * out, from, 1, kw]);
}

/** The bias [out] for the product that gives every row of the output the same, none for the others: [products out]. */
function perProduct(context: LowerContext, bias: string, out: number): string {
  const only = context.floats(
    [REACH, 1],
    OF_KERNEL.map((_, i) => (i === ALIKE ? 1 : 0)),
  );
  return reshaped(context, emit1(context, "Mul", [only, bias]), [REACH * out]);
}

/** Position by rows of every value of an image, in the order of the image. */
function* positions([n, c, h, w]: Shape, block: number): Generator<number> {
  for (let b = 0; b < n!; b++)
    for (let k = 0; k < c!; k++)
      for (let row = 0; row < h!; row++)
        for (let column = 0; column < w!; column++) {
          const piece = ((b * h! + row) * c!) / block + Math.floor(k / block);
          yield (piece * w! + column) * block + (k % block);
        }
}

function asImage({ data }: RefArray, image: Shape, block: number): RefArray {
  return { shape: image, data: Float64Array.from(positions(image, block), (at) => data[at]!) };
}

function asRows({ shape, data }: RefArray, block: number): RefArray {
  const rows = new Float64Array(sizeOf(shape));
  let i = 0;
  for (const at of positions(shape, block)) rows[at] = data[i++]!;
  return { shape: shapeByRows(shape), data: rows };
}
