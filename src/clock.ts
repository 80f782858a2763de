/** The time as a service, so that tests of what expires need not wait. */

/** Milliseconds since the epoch. */
export type Clock = () => number;
