/**
 * @module Opens the images of an evaluation and chooses among them: how many, and which, so that what is compared shares no
 * image.
 */
import { rng, UserError } from "onnxgrad";
import { openDataset } from "../data/open-dataset.ts";
import { FEWEST_FOR_DISTANCES } from "../evaluation/feature-distances.ts";
import type { Subject } from "../evaluation/subject.ts";
import type { ImageSource } from "../images/image-source.ts";
import type { ImageShape } from "../systems/system.ts";
import { imagesOf, openRunData, type RunImages } from "../training/run-data.ts";
import type { NamedSubject, RunSubject } from "./evaluate-subjects.ts";
import { formatCount } from "./format.ts";
import type { dataListeners } from "./progress.ts";

/** What is to be opened. */
export interface EvaluationRequest {
  readonly subjects: readonly NamedSubject[];
  readonly against: NamedSubject;
  /** Undefined where no run says it: that of the pictures compared with, then. */
  readonly shape: ImageShape | undefined;
  readonly n: number | undefined;
  readonly seed: number;
  readonly on: "all" | "training" | "held-out";
}

/** Opened and chosen. */
export interface EvaluationImages {
  readonly reference: Subject;
  /** In the order asked for. */
  readonly subjects: readonly Subject[];
  /** `2,000 of 4,096 images`: how many are compared with, and of which. */
  readonly comparedLine: string;
  /** Images that there are to compare with; null where they are drawn. */
  readonly of: number | null;
  /** What should be known of the comparison. */
  readonly notes: readonly string[];
}

/** Images that there are. */
interface Found {
  readonly source: ImageSource;
  readonly fingerprint: string;
  /** Of the data of a run. */
  readonly run?: RunImages;
}

/** Images by default: as many as there are, within these. */
const [FEWEST, MOST] = [2000, 5000];

type Listeners = ReturnType<typeof dataListeners>;

/**
 * Opens all pictures and chooses. Subjects that are of the images compared with get others of them.
 * @throws UserError `evaluate/against` where nothing says what to compare with; `evaluate/too-few`; `run/...`, `data/...`.
 */
export async function openImages(
  { subjects, against, shape, n: asked, seed, on }: EvaluationRequest,
  listeners: Listeners,
): Promise<EvaluationImages> {
  const found = against.kind === "run" ? undefined : await openFound(subjects, against, shape, on, listeners);
  const n = asked ?? Math.min(MOST, Math.max(FEWEST, found?.source.count ?? MOST));
  const own = await Promise.all(
    subjects.map(async (each) =>
      each.kind === "images" ? openPictures(each.name, shape ?? found?.source, listeners) : undefined,
    ),
  );
  const isSame = (i: number): boolean =>
    subjects[i]!.kind === "real" || (own[i] !== undefined && own[i].fingerprint === found?.fingerprint);
  const isShared = subjects.some((_, i) => isSame(i));
  const compared = found === undefined ? n : sharedCount(found.source.count, n, isShared);
  const chosen = subjects.map((each, i): Subject => {
    if (each.kind === "run") return drawnBy(each, { seed, first: 0, count: n });
    if (isSame(i)) return someOf(realSource(found, each), seed, n, compared);
    return someOf(own[i]!.source, seed, n);
  });
  return {
    reference:
      against.kind === "run"
        ? drawnBy(against, { seed, first: n, count: n })
        : someOf(found!.source, seed, compared),
    subjects: chosen,
    comparedLine:
      found === undefined
        ? `${formatCount(n)} images of "${against.name}", numbers ${formatCount(n)} and up`
        : comparedLine(compared, on, found),
    of: found?.source.count ?? null,
    notes: notesOf(subjects),
  };
}

/**
 * Whether there are images enough for distances on either side; what was asked for by name (`features`) is not left out silently.
 * @throws UserError `evaluate/too-few`.
 */
export function isEnoughFor(
  features: string | undefined,
  { reference, subjects }: Pick<EvaluationImages, "reference" | "subjects">,
): boolean {
  const counts = subjects.map(countOf);
  if (countOf(reference) >= FEWEST_FOR_DISTANCES && Math.max(...counts) >= FEWEST_FOR_DISTANCES) return true;
  if (features === undefined) return false;
  throw new UserError(
    "evaluate/too-few",
    `--features: distances need ${FEWEST_FOR_DISTANCES} images on either side; there are ${formatCount(Math.max(...counts))} beside ` +
      `${formatCount(countOf(reference))}. Take more by -n, compare with more, or leave --features out.`,
  );
}

function countOf(subject: Subject): number {
  return subject.kind === "drawn" ? subject.count : subject.indices.length;
}

/** Images to compare with: all that are wanted, or what leaves as many for a subject that is of the same images. */
function sharedCount(count: number, wanted: number, isShared: boolean): number {
  if (!isShared) return Math.min(count, wanted);
  if (count < 2)
    throw new UserError(
      "evaluate/too-few",
      `real images beside real images: there is but ${formatCount(count)}. Compare with more of them.`,
    );
  return Math.min(wanted, Math.floor(count / 2));
}

function realSource(found: Found | undefined, { name }: NamedSubject): ImageSource {
  if (found !== undefined) return found.source;
  throw new UserError(
    "evaluate/against",
    `"${name}" stands for more of the images compared with, and those are drawn by a run. Name a folder of pictures.`,
  );
}

async function openFound(
  subjects: readonly NamedSubject[],
  against: NamedSubject,
  shape: ImageShape | undefined,
  on: EvaluationRequest["on"],
  listeners: Listeners,
): Promise<Found> {
  if (against.kind === "images") {
    if (on !== "all")
      throw new UserError("evaluate/on", `--on ${on} is of the data of a run; leave it or --against out.`);
    return openPictures(against.name, shape, listeners);
  }
  const lead = subjects.find((each) => each.kind === "run");
  if (lead === undefined)
    throw new UserError(
      "evaluate/against",
      `nothing to compare with: "${subjects[0]!.name}" is no run, whose data would be known. ` +
        "Say with --against which pictures, or which run.",
    );
  const run = await openRunData(lead.name, lead.opened.run.config, listeners);
  return { source: imagesOf(lead.name, run, on), fingerprint: run.dataset.fingerprint, run };
}

/** Pictures brought to a shape; without one, to that of `openDataset`. */
async function openPictures(
  name: string,
  shape: ImageShape | undefined,
  listeners: Listeners,
): Promise<Found> {
  const brought = shape && { channels: shape.channels, size: { height: shape.height, width: shape.width } };
  const source = await openDataset(name, { ...brought, ...listeners });
  return { source, fingerprint: source.fingerprint };
}

/** Images `first`, `first + 1`, ... of a seed. */
function drawnBy(
  { opened, pyramid, drawing }: RunSubject,
  range: { readonly seed: number; readonly first: number; readonly count: number },
): Subject {
  const { image, draw, stages } = opened.run.system;
  const system = { image, draw, stages, pyramid };
  return { kind: "drawn", system, arrays: opened.arrays, chosen: drawing.chosen, ...range };
}

/** `count` images chosen at random, after the first `skipped` of the same choice. */
function someOf(source: ImageSource, seed: number, count: number, skipped = 0): Subject {
  const order = rng(seed, "real-images").permutation(source.count);
  return { kind: "images", source, indices: order.subarray(skipped, skipped + count) };
}

/** Runs of other data are compared all the same; that is said. */
function notesOf(subjects: readonly NamedSubject[]): string[] {
  const runs = subjects.filter((each) => each.kind === "run");
  const [lead] = runs;
  const dataOf = ({ opened }: RunSubject) => opened.run.config.data;
  return runs
    .filter((run) => dataOf(run).fingerprint !== dataOf(lead!).fingerprint)
    .map(
      (run) => `note: "${run.name}" was trained on other images than "${lead!.name}" (${dataOf(run).name}).`,
    );
}

/** `60 of 4,096 images, 81 held-out images among them`. */
function comparedLine(compared: number, on: EvaluationRequest["on"], { source, run }: Found): string {
  const of = `${formatCount(compared)} of ${formatCount(source.count)}`;
  if (run === undefined) return `${of} images`;
  switch (on) {
    case "training":
      return `${of} training images`;
    case "held-out":
      return `${of} held-out images`;
    case "all":
      return `${of} images, ${formatCount(run.heldOutCount)} held-out images among them`;
  }
}
