/** What a service has heard of the primary: how far the primary was, and when. */
import type { Position } from "./position.ts";

/** How long ago something was, in milliseconds. */
export type Age = () => number;

/** An age that is 0 now. */
export function sinceNow(): Age {
  const now = performance.now();
  const date = Date.now();
  // The first clock may stand still while the machine sleeps, and the second one may be set back.
  return () => Math.max(performance.now() - now, Date.now() - date);
}

export interface Heard {
  /**
   * @param position everything that was acknowledged at the time of `age` is within it
   * @param age since before the primary was asked
   */
  note(position: Position, age: Age): void;
  /** How far a replica must be so that it is not older than the bound. Undefined when nothing was heard for so long. */
  floor(): Position | undefined;
  /** Milliseconds since the primary was last heard. */
  age(): number;
}

/** How many moments are kept within the bound. */
const RESOLUTION = 8;

/** @param bound milliseconds after which a moment no longer counts */
export function createHeard(bound: number): Heard {
  /** The oldest one first. */
  const moments: { position: Position; age: Age }[] = [];

  return {
    note(position, age) {
      const [last, beforeLast] = moments.toReversed();
      // A later question has been answered before this one.
      if (last && last.age() < age()) return;
      if (last && position.count < last.position.count) {
        // A backup has been restored.
        moments.length = 0;
      } else if (beforeLast && beforeLast.age() - age() < bound / RESOLUTION) {
        moments.pop();
      }
      moments.push({ position, age });
    },

    floor() {
      while (moments[0] && moments[0].age() >= bound) moments.shift();
      return moments[0]?.position;
    },

    age: () => moments.at(-1)?.age() ?? Number.POSITIVE_INFINITY,
  };
}
