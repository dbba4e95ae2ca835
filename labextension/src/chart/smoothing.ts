/** Smooths a line by an exponential moving average. */

import { Column, type Curve } from './series-data';

/**
 * Returns a smoothed curve of the same points. Values that are not finite stay as they are.
 *
 * @param weight - of the earlier values, from 0 up to 1.
 */
export function smoothed({ xs, ys }: Curve, weight: number): Curve {
  const smooth = new Column();
  let [mean, certainty] = [0, 0];
  for (let n = 0; n < ys.length; n += 1) {
    const value = ys.at(n);
    if (Number.isFinite(value)) {
      mean = weight * mean + (1 - weight) * value;
      certainty = weight * certainty + (1 - weight);
      // Without this the first values would be drawn towards zero.
      smooth.push(mean / certainty);
    } else {
      smooth.push(value);
    }
  }
  return { xs, ys: smooth };
}
