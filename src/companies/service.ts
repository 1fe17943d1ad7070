// What can be asked of companies. Each function works in the transaction it is given.
import * as collect from "#collect/service.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { looksDirect } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import { bandOf } from "#relations/rules.ts";
import {
  mergeProfile,
  orderBands,
  reservedTags,
  spansOf,
  type Belonging,
  type Profile,
} from "./rules.ts";
import * as store from "./store.ts";

export const companyId = (sourceId: string, ref: string): string =>
  collect.eventId(sourceId, `company|${ref}`);

export type Said = Belonging & {
  id: string; // the event
  at: Date;
  sourceId: string;
  sourceName: string;
  bucket: number;
  nodeId: string;
  key: Buffer; // of the node
};
/** What events say of companies and of who belongs to them; the same again changes nothing. */
export async function tell(house: House, tx: Tx, all: readonly Said[]): Promise<void> {
  if (all.length === 0) return;
  const said = all.map((one) => ({ ...one, companyId: companyId(one.sourceId, one.ref) }));
  const byCompany = Map.groupBy(said, (one) => one.companyId);
  const held = await store.holdCompanies(
    tx,
    [...byCompany].map(([id, words]) => ({
      id,
      sourceId: words[0]!.sourceId,
      ref: words[0]!.ref,
      seenAt: words.reduce((least, { at }) => (at < least ? at : least), words[0]!.at),
    })),
  );
  for (const { id, profile } of held) {
    const words = byCompany.get(id)!;
    const merged = words.reduce(
      (had, word) => mergeProfile(had, profileOf(word)),
      profile as Profile,
    );
    if (JSON.stringify(merged) !== JSON.stringify(profile)) await store.saveProfile(tx, id, merged);
    for (const { traits, at, id: eventId, bucket, nodeId, key } of words)
      for (const [field, value] of Object.entries(traits.contact))
        await store.putContact(tx, {
          ...{ companyId: id, field, nodeBucket: bucket, nodeId, at, eventId },
          sealed: privacy.seal(key, `companies_contact|${id}|${field}`, nodeId, value),
        });
  }
  const external = said.flatMap(({ sourceId, companyId: id, traits }) =>
    Object.entries(traits.external).map(([type, value]) => ({
      ...{ sourceId, type, value, companyId: id },
    })),
  );
  if (external.length > 0) await store.addExternal(tx, external);
  await refold(house, tx, await store.addFacts(tx, said), [...byCompany.keys()]);
}
const profileOf = ({ traits, sourceName, at, id }: Said): Profile =>
  Object.fromEntries(
    Object.entries(traits.plain).map(([name, v]) => [
      name,
      { v, s: sourceName, at: at.toISOString(), id, c: 1 },
    ]),
  );

/** Works out anew to which companies these people belonged and what they bought for them; then those companies' figures. */
export async function refold(
  house: House,
  tx: Tx,
  people: readonly PersonKey[],
  also: readonly string[] = [],
): Promise<void> {
  const touched = new Set(also);
  const companies = async () => {
    for (const { companyId: id } of await store.companiesOf(tx, people)) touched.add(id);
  };
  if (people.length > 0) {
    await store.holdPeople(tx, people);
    await companies();
    const facts = await store.factsOf(tx, people);
    const rows = [...Map.groupBy(facts, (f) => `${f.personId} ${f.companyId}`).values()].flatMap(
      (of) => {
        const { bucket, personId, companyId: id } = of[0]!;
        return spansOf(of).map((span) => ({ bucket, personId, companyId: id, ...span }));
      },
    );
    await store.putMembers(tx, people, rows);
    await store.putSpend(tx, people);
    await companies();
  }
  await addUp(house, tx, [...touched]);
}
/** These people ordered: their part of their companies' figures is worked out anew. */
export async function ordered(house: House, tx: Tx, people: readonly PersonKey[]): Promise<void> {
  if (people.length === 0) return;
  const companies = (await store.companiesOf(tx, people)).map(({ companyId: id }) => id);
  if (companies.length === 0) return;
  await store.holdPeople(tx, people);
  await store.putSpend(tx, people);
  await addUp(house, tx, companies);
}
async function addUp(house: House, tx: Tx, companies: readonly string[]): Promise<void> {
  if (companies.length === 0) return;
  const at = house.clocks.shop();
  for (const { companyId: id, orders } of await store.putFigures(
    tx,
    companies,
    house.settings.currency,
  ))
    await store.setTag(tx, {
      ...{ companyId: id, tag: "company_orders", value: bandOf(orderBands, Number(orders)) },
      ...{ kind: "statistic", source: "companies", reason: { orders: Number(orders) } },
      ...{ confidence: 1, at, expiresAt: null, logId: house.newId() },
    });
}

/** Membership follows from what nodes told: a merge and its undoing work it out anew. */
export const movers = {
  merge: (house: House, tx: Tx, { from, into }: { from: PersonKey; into: PersonKey }) =>
    refold(house, tx, [from, into]),
  unmerge: (house: House, tx: Tx, { from, into }: { from: PersonKey; into: PersonKey }) =>
    refold(house, tx, [from, into]),
};

type HandTag = {
  company: string;
  tag: string;
  value: string | null;
  note: string;
  expiresAt?: string | undefined;
};
export async function tagByHand(
  { tx, actor, now, newId }: Context,
  { company, tag, value, note, expiresAt }: HandTag,
): Promise<
  Result<
    { changed: boolean },
    "companies.unknown" | "people.tag_reserved" | "people.tag_expired" | "people.tag_names"
  >
> {
  if (!(await store.isCompany(tx, company))) return fail("companies.unknown");
  if (reservedTags.has(tag)) return fail("people.tag_reserved");
  if (expiresAt !== undefined && new Date(expiresAt) <= now) return fail("people.tag_expired");
  if ([tag, value ?? "", note].some(looksDirect)) return fail("people.tag_names");
  const changed = await store.setTag(tx, {
    ...{ companyId: company, tag, value, kind: "hand", source: actor.id, reason: { note } },
    ...{ confidence: 1, at: now, logId: newId() },
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
  });
  return ok({ changed });
}
export async function nameRole(
  { tx }: Context,
  role: { code: string; zh: string; en: string },
): Promise<Result<Record<string, never>, never>> {
  await store.putRole(tx, role);
  return ok({});
}

/** Whatever stands here of one person, and their part of their companies' figures. */
export async function erase(
  tx: Tx,
  person: PersonKey,
  nodes: readonly { bucket: number; nodeId: string }[],
): Promise<void> {
  const companies = (await store.companiesOf(tx, [person])).map(({ companyId: id }) => id);
  await store.eraseRows(tx, person, nodes);
  // In the currency that they were added up in.
  if (companies.length > 0) await store.putFigures(tx, companies, null);
}
