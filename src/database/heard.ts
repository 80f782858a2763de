/** What a service knows about the primary: its newest known position, and when it was heard. */
import type { Position } from "./position.ts";

/** The time since an event, in milliseconds. */
export type Age = () => number;

/** An age that is 0 now. */
export function sinceNow(): Age {
  const now = performance.now();
  const date = Date.now();
  // The first clock may stop while the machine sleeps, and the second clock may be set back.
  return () => Math.max(performance.now() - now, Date.now() - date);
}

export interface Heard {
  /**
   * @param position it includes everything that was acknowledged at the time of `age`
   * @param age the time since just before the primary was asked
   */
  note(position: Position, age: Age): void;
  /**
   * The position that a replica must have reached so that it is not older than the bound. Undefined when the primary
   * was not heard within the bound.
   */
  floor(): Position | undefined;
  /** Milliseconds since the primary was last heard. */
  age(): number;
}

/** The number of moments that are kept within the bound. */
const RESOLUTION = 8;

/** @param bound milliseconds after which a moment no longer counts */
export function createHeard(bound: number): Heard {
  /** The oldest one first. */
  const moments: { position: Position; age: Age }[] = [];

  return {
    note(position, age) {
      const [last, beforeLast] = moments.toReversed();
      // A question that was asked later has been answered first.
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
