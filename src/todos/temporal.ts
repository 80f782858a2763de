/** Temporal: the runtime's own on Bun and Deno. The polyfill is loaded only where there is none, as on workerd. */
export const Temporal =
  globalThis.Temporal ?? (await import("temporal-polyfill/implementation")).Temporal;
