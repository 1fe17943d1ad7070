// Work beside the requests: what is told of the market is kept, and projections are worked out anew.
import type { House } from "#kernel/endpoint.ts";
import type { Refold } from "#people/service.ts";
import * as service from "./service.ts";

export const consume = service.learn;

/** A helping of each rebuilding that was asked for; says how much was done. */
export const rebuild = async (house: House, refolders: readonly Refold[]): Promise<number> =>
  (await service.rebuildPeople(house, refolders)) + (await service.rebuildColumns(house));
