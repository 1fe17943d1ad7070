// Argon2id is slow on purpose, so it stands in a queue with an end: a flood of sign-ins costs two cores' share and
// 38 MiB at most, and is told to come back.
import { hash, verify } from "@node-rs/argon2";
import { fail, ok, type Result } from "#kernel/result.ts";

/** OWASP's first choice for argon2id: 19 MiB, two passes, one lane; about 40 to 80 ms. 2 is argon2id. */
const cost = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const atOnce = 2;
const waitingLimit = 32;

export type Queue = <T>(work: () => Promise<T>) => Promise<Result<T, "request.too_many">>;
/** At most `running` at once and `waiting` behind them; beyond that it refuses at once. */
export function bounded(running: number, waiting: number): Queue {
  let busy = 0;
  const queue: (() => void)[] = [];
  return async (work) => {
    if (busy < running) busy++;
    else if (queue.length >= waiting) return fail("request.too_many", { retryAfterSeconds: 2 });
    else await new Promise<void>((go) => queue.push(go)); // whoever ends hands its place over
    try {
      return ok(await work());
    } finally {
      const next = queue.shift();
      if (next) next();
      else busy--;
    }
  };
}
/** One for the whole process, since it is the process that has only so many cores. */
const queue = bounded(atOnce, waitingLimit);

/** Of 64 random bytes that nobody kept, at the same cost as every other: what an unknown account is compared with. */
const nobodys =
  "$argon2id$v=19$m=19456,t=2,p=1$Yjr82QdSTTE68zM4yh5a5g$p9WQGLhRQ2p2zGq+MULtFQ896ypSqkqhIBsdfEUvU6s";

export const hashPassword = (password: string) => queue(() => hash(password, cost));
/** Takes the same time whether or not there is a hash to compare with. */
export const isPassword = (password: string, phc: string | null) =>
  queue(async () => {
    const same = await verify(phc ?? nobodys, password);
    return same && phc !== null;
  });
