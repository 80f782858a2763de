/** An error that the service has answered with. */

/** An error of the service (RFC 9457). */
export interface Problem {
  status: number;
  /** For a program. */
  code: string;
  /** For a person. */
  detail: string;
}

/** The problem in an answer of the service. A proxy may send problems too, but they have no code. */
export async function problemOf(answer: Response): Promise<Problem | undefined> {
  if (!answer.headers.get("content-type")?.includes("problem+json")) return undefined;
  const problem = await answer.clone().json();
  return typeof problem.code === "string" ? problem : undefined;
}
