// The composition root: every domain is one line in each table. Clocks, chance and the engines come from outside.
import type { House, Route } from "#kernel/endpoint.ts";
import type { Reaction } from "#kernel/outbox.ts";
import type { Tx } from "#kernel/sql.ts";
import type { TimerKind } from "#kernel/timers.ts";
import type { Slice } from "#collect/service.ts";
import * as collect from "#collect/service.ts";
import * as orders from "#orders/jobs.ts";
import * as ordersService from "#orders/service.ts";
import type { Eraser } from "#privacy/service.ts";

export const allRoutes: readonly Route[] = [];
/** What each domain makes of a slice of the log, in this order, in one transaction with the slice's end. */
export const consumers: readonly ((house: House, tx: Tx, slice: Slice) => Promise<void>)[] = [
  orders.consume,
];
export const reactions: readonly Reaction[] = [];
export const timers: readonly TimerKind[] = [];
/** Who holds rows of a person. The log goes before the nodes that lead to it. */
export const erasers: readonly Eraser[] = [collect.erase, ordersService.erase];
