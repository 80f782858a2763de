/** Temporal: on Bun and Deno, the runtime's own. On runtimes without it, such as workerd, a polyfill is loaded. */
export const Temporal =
  globalThis.Temporal ?? (await import("temporal-polyfill/implementation")).Temporal;
