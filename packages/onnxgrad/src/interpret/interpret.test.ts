/**
 * The oracle itself against other implementations. The values below are what this script prints (Debian 12:
 * PyTorch 1.13, SciPy 1.10; run it with /usr/bin/python3):
 *
 * import json, numpy as np, torch, torch.nn.functional as F
 * from scipy import special
 * def a(shape, phase=0.0): return np.sin(phase + 0.7 * np.arange(int(np.prod(shape)))).reshape(shape)
 * def t(shape, phase=0.0): return torch.from_numpy(a(shape, phase))
 * ramp = np.linspace(-4, 4, 9)
 * cases = {
 *     "conv2d": F.conv2d(t([1, 4, 5, 4]), t([4, 2, 3, 2], 1), t([4], 2), (2, 1), (1, 0), (1, 2), 2),
 *     "convTranspose2d": F.conv_transpose2d(t([1, 4, 2, 2]), t([4, 1, 3, 3], 1), t([2], 2), 2, 1, 1, 2),
 *     "maxPool2d": F.max_pool2d(t([1, 1, 5, 5]), 3, 2),
 *     "avgPool2d": F.avg_pool2d(t([1, 1, 4, 4]), 2),
 *     "bilinearUp": F.interpolate(t([1, 1, 2, 3]), (3, 5), mode="bilinear", align_corners=False),
 *     "bilinearDown": F.interpolate(t([1, 1, 5, 4]), (2, 3), mode="bilinear", align_corners=False),
 *     "bilinearCorners": F.interpolate(t([1, 1, 3, 4]), (4, 3), mode="bilinear", align_corners=True),
 *     "nearest": F.interpolate(t([1, 1, 2, 2]), scale_factor=2, mode="nearest"),
 *     "reflect": F.pad(t([1, 1, 3, 3]), (2, 1, 1, 2), mode="reflect"),
 *     "erf": special.erf(ramp), "sigmoid": special.expit(ramp), "softplus": np.logaddexp(0, ramp),
 *     "gelu": F.gelu(torch.from_numpy(ramp)), "silu": F.silu(torch.from_numpy(ramp)),
 *     "softmax": special.softmax(a([2, 3]), -1), "logSumExp": special.logsumexp(a([2, 3]), -1),
 *     "layerNorm": F.layer_norm(t([2, 4]), (4,), t([4], 1), t([4], 2), 1e-5),
 *     "groupNorm": F.group_norm(t([1, 4, 2, 2]), 2, t([4], 1), t([4], 2), 1e-5),
 *     "batchNormTraining": F.batch_norm(t([2, 2, 1, 2]), None, None, t([2], 1), t([2], 2), True, 0, 1e-5),
 *     "batchNormInference": F.batch_norm(t([1, 2, 1, 2]), t([2], 3), 1 + t([2], 1) ** 2, t([2], 1), t([2], 2), False, 0, 1e-5),
 *     "attention": special.softmax(a([2, 3]) @ a([3, 3], 1).T / np.sqrt(3), -1) @ a([3, 2], 2),
 *     "slice": a([7, 3])[5:0:-2, 1:], "scatterAdd": torch.zeros(3, 2, dtype=torch.float64).index_add(0, torch.tensor([2, 0, 2]), t([3, 2])),
 * }
 * for name, value in cases.items():
 *     print(f'  {name}: [{", ".join(f"{v:.12g}" for v in np.asarray(value).ravel())}],')
 */
import { describe, expect, test } from "vitest";
import { add, square } from "../ops/arithmetic.ts";
import { erf, gelu, sigmoid, silu, softplus } from "../ops/elementary.ts";
import { conv2d, convTranspose2d } from "../ops/conv.ts";
import { scatterAddOp } from "../ops/gather.ts";
import { batchNormInference, batchNormTraining, groupNorm, layerNorm } from "../ops/normalization.ts";
import { avgPool2d, maxPool2d, upsampleNearest2d } from "../ops/pool.ts";
import { resizeBilinear2d } from "../ops/resize.ts";
import { padReflect } from "../ops/pad.ts";
import { flip, slice } from "../ops/slice.ts";
import { logSumExp, scaledDotProductAttention, softmax } from "../ops/softmax.ts";
import { constant, input } from "../ops/source.ts";
import { expectClose } from "../testing/expect-close.ts";
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { interpret } from "./interpret.ts";

const GOLDEN = {
  conv2d: [
    0.884590306266, 1.56208472847, 0.65978419559, 0.475756450096, 2.18636833642, 1.8475615854, 0.967395393821,
    -0.0364517546359, 0.899127953404, 0.761379874283, 0.359820827347, 0.110683633606, 0.361055483681,
    0.0795629568208, 0.089673095522, -0.209978644805, 1.03816767121, 0.642564284879, -0.570102649831,
    -1.23652635628, -0.711425973843, -0.453132502504, -2.11547869727, -1.98243328707,
  ],
  convTranspose2d: [
    0.699906166436, 0.598791608173, 0.734392051157, 0.623651212159, 0.904230003942, 0.735613353991,
    0.678117049115, 0.926855634855, 0.851138667027, 0.812503024544, 0.995238256386, 1.02920763512,
    0.853084731786, 1.02837093457, 0.938506882025, 0.85649473161, 0.273883664574, 0.202479782975,
    0.208929812289, 0.0959107707949, 0.65214913449, 0.50827634225, 0.426950873084, 0.629583107414,
    0.246716440335, 0.158201738523, 0.369471907109, 0.323143534071, 0.322079660176, 0.419805057813,
    0.376290947836, 0.450770675494,
  ],
  maxPool2d: [0.988168233877, 0.985449729988, 0.990607355695, 0.854598908088],
  avgPool2d: [0.157105652426, -0.00134232210015, 0.139811133262, 0.099744985843],
  bilinearUp: [
    0, 0.257687074895, 0.644217687238, 0.848956912888, 0.985449729988, 0.431604683324, 0.454803977473,
    0.489602918697, 0.386241118168, 0.317333251149, 0.863209366649, 0.651920880052, 0.334988150156,
    -0.0764746765514, -0.35078322769,
  ],
  bilinearDown: [
    0.192362094021, -0.254676197885, -0.502084164307, 0.344260539599, -0.0908320457155, -0.45472508038,
  ],
  bilinearCorners: [
    0, 0.814833708613, 0.863209366649, 0.223325433437, -0.13584176383, -0.367231952867, 0.0129032208132,
    -0.295152916834, -0.325578997124, -0.631266637872, 0.336900249602, 0.988168233877,
  ],
  nearest: [
    0, 0, 0.644217687238, 0.644217687238, 0, 0, 0.644217687238, 0.644217687238, 0.985449729988,
    0.985449729988, 0.863209366649, 0.863209366649, 0.985449729988, 0.985449729988, 0.863209366649,
    0.863209366649,
  ],
  reflect: [
    -0.35078322769, 0.334988150156, 0.863209366649, 0.334988150156, -0.35078322769, 0.334988150156,
    0.985449729988, 0.644217687238, 0, 0.644217687238, 0.985449729988, 0.644217687238, -0.35078322769,
    0.334988150156, 0.863209366649, 0.334988150156, -0.35078322769, 0.334988150156, -0.631266637872,
    -0.982452612624, -0.871575772414, -0.982452612624, -0.631266637872, -0.982452612624, -0.35078322769,
    0.334988150156, 0.863209366649, 0.334988150156, -0.35078322769, 0.334988150156, 0.985449729988,
    0.644217687238, 0, 0.644217687238, 0.985449729988, 0.644217687238,
  ],
  erf: [
    -0.999999984583, -0.999977909503, -0.995322265019, -0.84270079295, 0, 0.84270079295, 0.995322265019,
    0.999977909503, 0.999999984583,
  ],
  sigmoid: [
    0.0179862099621, 0.0474258731776, 0.119202922022, 0.26894142137, 0.5, 0.73105857863, 0.880797077978,
    0.952574126822, 0.982013790038,
  ],
  softplus: [
    0.0181499279178, 0.0485873515737, 0.126928011043, 0.313261687518, 0.69314718056, 1.31326168752,
    2.12692801104, 3.04858735157, 4.01814992792,
  ],
  gelu: [
    -0.000126684967332, -0.00404969409489, -0.0455002638964, -0.158655253931, 0, 0.841344746069, 1.9544997361,
    2.99595030591, 3.99987331503,
  ],
  silu: [
    -0.0719448398484, -0.142277619533, -0.238405844044, -0.26894142137, 0, 0.73105857863, 1.76159415596,
    2.85772238047, 3.92805516015,
  ],
  softmax: [0.179098714954, 0.341092881944, 0.479808403102, 0.5300366539, 0.312537651264, 0.157425694835],
  logSumExp: [1.71981814496, 1.49801848317],
  layerNorm: [
    -0.470650772913, 0.482174234279, 0.388286443871, -0.792018746383, 2.2051281928, 0.649418397495,
    -0.7793903485, -0.859372234427,
  ],
  groupNorm: [
    0.817110172193, 1.57966012343, 1.98357091743, 1.83887699649, 0.786032858221, -0.170590024665,
    -0.89707421694, -1.05174285135, -1.03001249855, -0.361716934622, 0.298424126643, 0.639936029147,
    -0.771631499502, -0.805624479557, -0.849144177498, -0.88172259937,
  ],
  batchNormTraining: [
    0.553296330565, 2.01309232992, 1.48242221165, 1.35172724136, 1.31237881327, -0.241577766446,
    -0.503042214628, -0.621587717451,
  ],
  batchNormInference: [0.818437329077, 1.23321679826, 1.49435262517, 1.40827834802],
  attention: [0.215344187, -0.0550103946837, 0.188879586902, -0.187671910378],
  slice: [-0.979177729151, -0.618137112237, 0.656986598719, 0.988168233877, 0.334988150156, -0.35078322769],
  scatterAdd: [0.985449729988, 0.863209366649, 0, 0, 0.334988150156, 0.293434459548],
} as const;

/** The script's `a`: sin(phase + 0.7 i) in row-major order. */
const a = (shape: Shape, phase = 0): Tensor =>
  constant(
    Float64Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(phase + 0.7 * i)),
    shape,
  );
const ramp = constant([-4, -3, -2, -1, 0, 1, 2, 3, 4]);
const affine = (n: number) => ({ scale: a([n], 1), shift: a([n], 2) });

const CASES: { readonly [K in keyof typeof GOLDEN]: () => Tensor } = {
  conv2d: () =>
    conv2d(a([1, 4, 5, 4]), a([4, 2, 3, 2], 1), {
      bias: a([4], 2),
      stride: [2, 1],
      padding: [1, 0],
      dilation: [1, 2],
      groups: 2,
    }),
  convTranspose2d: () =>
    convTranspose2d(a([1, 4, 2, 2]), a([4, 1, 3, 3], 1), {
      bias: a([2], 2),
      stride: 2,
      padding: 1,
      outputPadding: 1,
      groups: 2,
    }),
  maxPool2d: () => maxPool2d(a([1, 1, 5, 5]), 3, 2),
  avgPool2d: () => avgPool2d(a([1, 1, 4, 4]), 2),
  bilinearUp: () => resizeBilinear2d(a([1, 1, 2, 3]), 3, 5),
  bilinearDown: () => resizeBilinear2d(a([1, 1, 5, 4]), 2, 3),
  bilinearCorners: () => resizeBilinear2d(a([1, 1, 3, 4]), 4, 3, { alignCorners: true }),
  nearest: () => upsampleNearest2d(a([1, 1, 2, 2]), 2),
  reflect: () =>
    padReflect(a([1, 1, 3, 3]), [
      [0, 0],
      [0, 0],
      [1, 2],
      [2, 1],
    ]),
  erf: () => erf(ramp),
  sigmoid: () => sigmoid(ramp),
  softplus: () => softplus(ramp),
  gelu: () => gelu(ramp),
  silu: () => silu(ramp),
  softmax: () => softmax(a([2, 3])),
  logSumExp: () => logSumExp(a([2, 3])),
  layerNorm: () => layerNorm(a([2, 4]), affine(4)),
  groupNorm: () => groupNorm(a([1, 4, 2, 2]), 2, affine(4)),
  batchNormTraining: () => batchNormTraining(a([2, 2, 1, 2]), affine(2)).y,
  batchNormInference: () =>
    batchNormInference(a([1, 2, 1, 2]), affine(2), {
      mean: a([2], 3),
      variance: add(square(a([2], 1)), 1),
    }),
  attention: () => scaledDotProductAttention(a([2, 3]), a([3, 3], 1), a([3, 2], 2)),
  slice: () => slice(flip(a([7, 3]), [0]), [1, 1], [7, 3], [2, 1]),
  scatterAdd: () => apply1(scatterAddOp, [a([3, 2]), constant([2, 0, 2], [3], "int64")], { rows: 3 }),
};

describe("interpret()", () => {
  test.each(Object.keys(GOLDEN) as (keyof typeof GOLDEN)[])("%s agrees with PyTorch or SciPy", (name) => {
    // Twelve digits are frozen; PyTorch's GELU and ours meet to about that.
    expectClose(interpret([CASES[name]()], {})[0]!.data, GOLDEN[name], {
      rtol: 1e-9,
      atol: 1e-11,
      what: name,
    });
  });

  test("refuses a missing or short input, naming it and both lengths", () => {
    const x = input("x", [2, 3]);
    expect(() => interpret([x], {})).toThrow('input "x": needs 6 values, got none. Feed every input.');
    expect(() => interpret([x], { x: [1, 2] })).toThrow('input "x": needs 6 values, got 2.');
    expect(() => interpret([input("constructor", [1])], {})).toThrow(
      'input "constructor": needs 1 values, got none',
    );
    expect(() => interpret([x], { X: [1, 2, 3, 4, 5, 6] })).toThrow(
      'input "x": needs 6 values, got none. Is it fed as "X"? Feed every input.',
    );
  });

  test("refuses what is no number of the input's type", () => {
    const [x, i] = [input("x", [1]), input("i", [1], "int64")];
    expect(() => interpret([x], { x: ["1"] as never })).toThrow('input "x": takes numbers, got 1.');
    expect(() => interpret([i], { i: [0.5] })).toThrow('input "i": takes whole numbers, got 0.5.');
    expect(() => interpret([i], { i: [NaN] })).toThrow('input "i": takes whole numbers, got NaN.');
    expect([...interpret([i], { i: BigInt64Array.of(7n) })[0]!.data]).toEqual([7]);
  });
});
