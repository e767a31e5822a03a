/**
 * @module What is wrong with the released WMGM, each behind a name, so that every repair can be measured alone. Only
 * what the functions of `wmgm-faithful-*.ts` decide is listed; the order of scales in training, the rate of the
 * discriminator and averaging belong to whoever drives them.
 */

/** Each `true` is what the released code does; `false` is the repair. */
export interface WmgmDefects {
  /**
   * The generator sees low bands as they are, [0, 2^j] at level j, and its tanh bounds details to (-1, 1), though they
   * reach 2^(j-1). Repair: low bands divided by 2^j, details multiplied by 2^(j-1).
   */
  readonly unscaledBands: boolean;
  /**
   * Similarity maps images by (x + 1) / 2, as if they lay in [-1, 1], though they lie in [0, 2^(j-1)]: its constants
   * are wrong, and differently at each scale. Repair: division by 2^(j-1).
   */
  readonly signedSimilarity: boolean;
  /**
   * Scores pass a sigmoid and are averaged, without logarithm: gradients vanish where the discriminator is sure.
   * Repair: the logistic loss, non-saturating for the generator (Goodfellow et al. 2014).
   */
  readonly boundedAdversary: boolean;
  /** Gradients are clipped to norm 0.5 before they exist, so never. Repair: clipped after. */
  readonly clipBeforeBackward: boolean;
  /**
   * The coarsest low band is normalised by its range over the whole set, rounded to 8 bits, and brought back by the
   * factor 2^J whatever that range was. Repair: kept as it is.
   */
  readonly eightBitLow: boolean;
}

/** The released system: every defect in place. */
export const RELEASED_DEFECTS: WmgmDefects = {
  unscaledBands: true,
  signedSimilarity: true,
  boundedAdversary: true,
  clipBeforeBackward: true,
  eightBitLow: true,
};
