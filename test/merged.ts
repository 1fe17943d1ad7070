// People who turn out to be one and do not, as a shop's server says it, with all that the program does about it.
import { consumers, movers, pumps, refolders } from "../src/app.ts";
import { consume } from "../src/collect/jobs.ts";
import { accept } from "../src/collect/service.ts";
import type { PersonKey } from "../src/kernel/sql.ts";
import { merge } from "../src/people/jobs.ts";
import * as people from "../src/people/service.ts";
import type { Shop } from "./shop.ts";

export type Who = { type: "anonymous_id" | "user_id"; value: string };
export const visitor = (value: string): Who => ({ type: "anonymous_id", value });
export const user = (value: string): Who => ({ type: "user_id", value });

/** Says things one hour after another from the given instant on; after each, all that waits is done unless `later`. */
export function saying(here: Shop, from = Date.UTC(2026, 1, 1)) {
  const { house, sql, server } = here;
  const source = { id: server.id, kind: "server" as const };
  const work = pumps(house, null);
  let n = 0;
  const settled = async () => {
    for (let done = 1; done > 0;)
      done =
        (await consume(house, consumers)) +
        (await merge(house, movers, refolders)) +
        (await work.relay()) +
        (await work.ring()) +
        (await work.segment());
  };
  const tell = async (name: string, sender: Who, links: readonly Who[] = [], data = {}) => {
    const at = new Date(from + n * 3_600_000);
    await sql.begin((tx) =>
      accept(house, tx, source, [{ key: String(n++), name, at, sender, links, data }]),
    );
  };
  const say = async (...said: Parameters<typeof tell>) => {
    await tell(...said);
    await settled();
  };
  return {
    ...{ tell, say, settled },
    /** The shop's server says that these are one somebody; which of them stays follows from who was there first. */
    join: (a: Who, b: Who) =>
      say(a.type === "user_id" && b.type === "user_id" ? "alias" : "bind", a, [b]),
    part: (a: Who, b: Who) => say("unbind", a, [b]),
    find: async ({ type, value }: Who): Promise<PersonKey> =>
      (await people.byIdentifier(house, sql, type, value, server.id))!,
  };
}
