import pino from "pino";

/** JSON lines on standard error. Fields are ids, counts and codes: never a personal field, never a secret. */
export type Log = pino.Logger;
export const newLog = (level: string): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));

/** What went wrong and where, never with which values: a database's message may quote a row. */
export function faultOf(thrown: unknown): { code: string; stack: string } {
  const { code, name, stack } = (thrown ?? {}) as { code?: string; name?: string; stack?: string };
  const lines = (stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  return { code: String(code ?? name ?? "unknown"), stack: lines.slice(0, 8).join("\n") };
}
