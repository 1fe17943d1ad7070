import pino from "pino";

/** JSON lines on standard error. Fields are ids, counts and codes: never a personal field, never a secret. */
export type Log = pino.Logger;
export const newLog = (level: string): Log =>
  pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
