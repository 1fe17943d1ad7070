// A shop for tests of the doors: a server's key, a browser's key, operators, and the log folded after each step.
import { randomUUID } from "node:crypto";
import { createKey } from "../src/access/service.ts";
import { permissions } from "../src/access/rules.ts";
import { consume } from "../src/collect/jobs.ts";
import { sourceNamed } from "../src/collect/service.ts";
import type { House, Route } from "../src/kernel/endpoint.ts";
import * as ordersJobs from "../src/orders/jobs.ts";
import * as peopleJobs from "../src/people/jobs.ts";
import { web } from "./authz.ts";
import { world } from "./database.ts";

type Headers = Record<string, string>;
async function keyOf(
  house: House,
  given: {
    permissions: readonly string[];
    source?: { id: string; kind: "server" | "public" };
    merchants?: string[];
  },
): Promise<Headers> {
  const actor = {
    id: "system:test",
    permissions: new Set<string>(permissions),
    scope: { kind: "all" },
  } as const;
  const made = await house.sql.begin((tx) =>
    createKey(
      { tx, actor, at: house.clocks.machine(), newId: house.newId },
      { name: randomUUID(), ...given },
    ),
  );
  if (!made.ok) throw new Error(made.code);
  return { authorization: `Bearer ${made.value.key}` };
}

/** What each domain makes of the log, as the program has it. */
export const folded = async (house: House): Promise<number> => {
  let all = 0;
  for (let n = 1; n > 0; all += n)
    n = await consume(house, [peopleJobs.consume, ordersJobs.consume]);
  return all;
};

export type Shop = Awaited<ReturnType<typeof shop>>;
/** A world with a web server of these routes and somebody for each way to come. */
export async function shop(routes: readonly Route[]) {
  const here = await world();
  const { house } = here;
  const server = await sourceNamed(house, here.sql, "shop", "server");
  const page = await sourceNamed(house, here.sql, "shop-web", "public");
  const as = {
    server: await keyOf(house, {
      permissions: ["events:write"],
      source: { id: server.id, kind: "server" },
    }),
    page: await keyOf(house, {
      permissions: ["events:write"],
      source: { id: page.id, kind: "public" },
    }),
    /** May do everything, is no source. */
    owner: await keyOf(house, { permissions }),
    /** May read members, and not search by their e-mail. */
    analyst: await keyOf(house, { permissions: ["members:read", "house:read", "catalog:read"] }),
    merchant: await keyOf(house, {
      permissions: ["catalog:read", "members:read"],
      merchants: ["silk"],
    }),
  };
  return Object.assign(here, { server, page, as, ask: web(house, routes) });
}
