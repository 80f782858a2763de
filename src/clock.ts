/** The time as a service, so that whatever expires is tested without waiting. */

/** Milliseconds since the epoch. */
export type Clock = () => number;
