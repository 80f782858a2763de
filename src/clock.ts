/** The time as a service, so that tests of expiry do not have to wait. */

/** Milliseconds since the epoch. */
export type Clock = () => number;
