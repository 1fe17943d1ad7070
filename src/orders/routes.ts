import { aheadLimitMs, type Incoming, type Refused } from "#collect/rules.ts";
import * as collect from "#collect/service.ts";
import { answer, direct } from "#kernel/endpoint.ts";
import type { Item } from "#kernel/json.ts";
import { minorDigits, unitPriceText } from "#kernel/money.ts";
import { fail, ok } from "#kernel/result.ts";
import * as people from "#people/service.ts";
import * as api from "./api.ts";
import { isUnfit, readLine, type Shop } from "./rules.ts";
import { lineEvent } from "./service.ts";
import * as views from "./views.ts";

/** One line as it came: read as a file's lines are, or the field that cannot be. */
function lineOf(item: Item, shop: Shop, now: Date): Incoming | Refused {
  if (item.bad !== null) return { reason: "invalid", field: item.bad };
  const parsed = api.line.safeParse(item.value);
  if (!parsed.success) return { reason: "invalid", field: collect.fieldIn(parsed.error) };
  const { key, quantity, refund = false, ...told } = parsed.data;
  const signed = refund ? -Math.abs(quantity) : quantity;
  const { name = "", customer = "", country = "", category = "", merchant = "" } = told;
  const read = readLine(
    { ...told, name, customer, country, category, merchant, quantity: String(signed) },
    shop,
  );
  if (isUnfit(read)) return { reason: "invalid", field: read.field };
  if (read.at.getTime() > now.getTime() + aheadLimitMs) return { reason: "not_yet", field: "at" };
  return lineEvent(key, read);
}

const send = direct(api.send, async ({ house, actor, body, now }) => {
  const list = await collect.listOf({ body }, "lines");
  if (!list.ok) return list;
  if (!actor.source) return fail("collect.no_source");
  // A key that anybody can read moves no revenue.
  if (actor.source.kind !== "server") return fail("orders.server_only");
  const { currency } = house.settings;
  const shop: Shop = {
    timeZone: house.clocks.timeZone,
    currency,
    digits: minorDigits(currency),
    refundPrefix: "",
    services: new Set(),
  };
  const read = list.value.map((item) => lineOf(item, shop, now));
  return ok(await collect.take(house, actor.source, "lines", list.value, read));
});

function afterOf(cursor: string | undefined): { at: Date; key: string } | null {
  const [, at, key] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)_(.+)$/s.exec(cursor ?? "") ?? [];
  return at && key && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), key } : null;
}
const claimsLimit = 50;
const ofMember = answer(api.ofMember, async (reading, { person: personId, after, limit }) => {
  const { house, scope, now } = reading;
  // Somebody who was not given to this caller looks like nobody.
  const may = scope.kind === "all" || (scope.kind === "cases" && scope.people.includes(personId));
  const person = may ? await people.find(house.sql, personId) : fail("people.unknown");
  if (!person.ok) return person;
  const [total, claims, rows] = await Promise.all([
    views.total(house.sql, person.value, now),
    views.claims(house.sql, person.value, now, claimsLimit),
    views.ofPerson(house.sql, person.value, now, afterOf(after), limit + 1),
  ]);
  const page = rows.slice(0, limit);
  const lines = await views.lines(house.sql, person.value, page, now);
  const of = Map.groupBy(lines, (line) => `${line.sourceId} ${line.of} ${line.ref}`);
  const last = page.at(-1);
  return ok({
    total,
    orders: page.map(({ sourceId, eventId, at, amountMinor, ...order }) => ({
      ...order,
      source: sourceId,
      event: eventId,
      at: at.toISOString(),
      amountMinor: String(amountMinor),
      lines: (of.get(`${sourceId} ${order.kind} ${order.ref}`) ?? []).map((line) => ({
        event: line.eventId,
        sku: line.sku,
        name: line.name,
        quantity: line.quantity,
        unitPrice: unitPriceText(Number(line.unitPrice)),
        amountMinor: String(line.amountMinor),
        kind: line.kind,
      })),
    })),
    claims: claims.map(({ ref, at, amountMinor, currency, confirmedBy, eventId }) => ({
      ...{ ref, currency, confirmedBy, event: eventId },
      at: at.toISOString(),
      amountMinor: amountMinor === null ? null : String(amountMinor),
    })),
    next: rows.length > limit && last ? `${last.at.toISOString()}_${last.kind} ${last.ref}` : null,
  });
});

export const routes = [send, ofMember];
