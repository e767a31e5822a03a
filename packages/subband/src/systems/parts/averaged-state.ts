/** @module The averaged parameters of a stage, taken out of a checkpoint, as the state of a program. */
import { type NamedArray, type Packed, State } from "onnxgrad";

/**
 * The averaged parameters of `stage` (`STAGE.average.*`), laid out as `params`, as a state.
 * @throws UserError `state/mismatch` when they are missing or of another shape.
 */
export function averagedState<P extends Packed>(
  checkpoint: ReadonlyMap<string, NamedArray>,
  stage: string,
  params: P,
): State<{ readonly params: P }> {
  const state = new State({ params });
  const prefix = `${stage}.average`;
  state.load(
    new Map(
      [...checkpoint].flatMap(([name, array]) =>
        name.startsWith(`${prefix}.`) ? [[`params${name.slice(prefix.length)}`, array] as const] : [],
      ),
    ),
  );
  return state;
}
