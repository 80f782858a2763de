/** What workerd has and TypeScript's own libraries do not know, as far as it is used here. */

/** https://developers.cloudflare.com/workers/runtime-apis/bindings/#importing-env-as-a-global */
declare module "cloudflare:workers" {
  /** The Worker's variables, secrets and other bindings. */
  export const env: Record<string, unknown>;
  /** Lets what a request has begun go on after its answer, and after its client is gone, for at most 30 seconds. */
  export function waitUntil(work: Promise<unknown>): void;
}

/** https://developers.cloudflare.com/workers/runtime-apis/scheduler/ */
interface Scheduler {
  /** Resolves after so many milliseconds. */
  wait(delay: number): Promise<void>;
}
