/** The parts of workerd that are used here and that TypeScript's own libraries do not have. */

/** https://developers.cloudflare.com/workers/runtime-apis/bindings/#importing-env-as-a-global */
declare module "cloudflare:workers" {
  /** The Worker's variables, secrets and other bindings. */
  export const env: Record<string, unknown>;
  /** Lets work continue after the answer, and after the client has disconnected, for at most 30 seconds. */
  export function waitUntil(work: Promise<unknown>): void;
}

/** https://developers.cloudflare.com/workers/runtime-apis/scheduler/ */
interface Scheduler {
  /** Resolves after this number of milliseconds. */
  wait(delay: number): Promise<void>;
}
