/** A key that nobody else has: 128 random bits. (`crypto.randomUUID` is missing on pages without TLS.) */
export const randomKey = () => crypto.getRandomValues(new Uint32Array(4)).join("-");
