// Work beside the requests: what is told of the market is kept, and projections are worked out anew.
import type { House } from "#kernel/endpoint.ts";
import type { Refold } from "#people/service.ts";
import { mendMany } from "./mend.ts";
import * as service from "./service.ts";
import * as store from "./store.ts";
import * as upload from "./upload.ts";

export const consume = service.learn;

/** A helping of each rebuilding that was asked for; says how much was done. */
export const rebuild = async (house: House, refolders: readonly Refold[]): Promise<number> =>
  (await service.rebuildPeople(house, refolders)) + (await service.rebuildColumns(house));

/** A helping of each mending of many that was asked for; says how many items it was. */
export const mend = mendMany;

/** Reads files that were handed in, one at a time. */
export const files = upload.reader;

const keptDays = 30;
/** Mendings are kept as long as the list that they speak of. */
export async function sweep(house: House): Promise<number> {
  const before = new Date(house.clocks.machine().getTime() - keptDays * 86_400_000);
  return (await store.forgetMendings(house.sql, before)).count + (await upload.sweep(house));
}
