// What can be asked of companies. Each function works in the transaction it is given.
import * as collect from "#collect/service.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { setTimers } from "#kernel/timers.ts";
import { looksDirect } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import { bandOf } from "#relations/rules.ts";
import {
  declaredLimit,
  isCircular,
  mergeProfile,
  orderBands,
  reservedTags,
  spansOf,
  type Belonging,
  type Profile,
} from "./rules.ts";
import * as segments from "#segments/service.ts";
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
  const external = said.flatMap(({ sourceId, companyId: id, traits, at, id: eventId }) =>
    Object.entries(traits.external).map(([type, value]) => ({
      ...{ sourceId, type, value, companyId: id, at, eventId },
    })),
  );
  if (external.length > 0) await store.putExternal(tx, external);
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
const addUp = (house: House, tx: Tx, companies: readonly string[]): Promise<void> =>
  figure(tx, companies, house.settings.currency, {
    newId: house.newId,
    now: house.clocks.shop(),
  });
/** `currency` null: that in which they were added up before. */
async function figure(
  tx: Tx,
  companies: readonly string[],
  currency: string | null,
  { newId, now }: { newId: () => string; now: Date },
): Promise<void> {
  if (companies.length === 0) return;
  for (const { companyId: id, orders } of await store.putFigures(tx, companies, currency))
    await store.setTag(tx, {
      ...{ companyId: id, tag: "company_orders", value: bandOf(orderBands, Number(orders)) },
      ...{ kind: "statistic", source: "companies", reason: { orders: Number(orders) } },
      ...{ confidence: 1, at: now, expiresAt: null, logId: newId() },
    });
}

/** Membership follows from what nodes told: a merge and its undoing work it out anew. */
export const movers = {
  merge: (house: House, tx: Tx, merges: readonly { from: PersonKey; into: PersonKey }[]) =>
    refold(house, tx, [
      ...new Map(
        merges.flatMap(({ from, into }) => [from, into]).map((one) => [one.personId, one]),
      ).values(),
    ]),
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
  const changed = await set(tx, {
    ...{ companyId: company, tag, value, kind: "hand", source: actor.id, reason: { note } },
    ...{ confidence: 1, at: now, logId: newId() },
    expiresAt: expiresAt === undefined ? null : new Date(expiresAt),
  });
  // What was set by hand is gone: the rules say again what it is.
  if (value === null) await store.followRules(tx, { tag, companies: [company], at: now });
  return ok({ changed });
}
/** The timer of a company's tag that ends. */
export const tagEnds = "companies.tag_ends";
async function set(tx: Tx, row: store.TagRow): Promise<boolean> {
  const changed = await store.setTag(tx, row);
  const { companyId: id, tag, value, expiresAt } = row;
  if (value !== null && expiresAt)
    await setTimers(tx, [{ kind: tagEnds, key: `${id} ${tag}`, dueAt: expiresAt }]);
  return changed;
}
/** Takes away those of these tags (timers' keys) whose time has come; what rules say stands again. */
export async function endTags(tx: Tx, keys: readonly string[], at: Date): Promise<void> {
  const due = keys.map((key) => {
    const [id = "", tag = ""] = key.split(" ");
    return { companyId: id, tag };
  });
  await store.endTags(tx, due, at);
  for (const { companyId: id, tag } of due)
    await store.followRules(tx, { tag, companies: [id], at });
}

// ── tags that follow from segments of companies ────────────────────────────────────────────────────────────────────

const listenerOf = (tag: string) => `companies:${tag}`;
type Declaring = {
  tag: string;
  label: { zh: string; en: string };
  rules: { value: string; segment: string }[];
};
export async function declareTag(
  { tx, at, actor }: Context,
  { tag, label, rules }: Declaring,
): Promise<
  Result<
    { tag: string },
    | "people.tag_reserved"
    | "people.tag_names"
    | "companies.too_many_tags"
    | "companies.not_of_companies"
    | "traits.circular"
  >
> {
  if (reservedTags.has(tag)) return fail("people.tag_reserved");
  if ([label.zh, label.en, ...rules.map(({ value }) => value)].some(looksDirect))
    return fail("people.tag_names");
  await store.holdDeclared(tx);
  const declared = await store.allDeclared(tx);
  if (declared.length >= declaredLimit && !declared.some((one) => one.tag === tag))
    return fail("companies.too_many_tags");
  await segments.hold(tx);
  const all = await segments.all(tx);
  const isOfCompanies = (id: string) => all.some((one) => one.id === id && one.level === "company");
  if (!rules.every(({ segment }) => isOfCompanies(segment)))
    return fail("companies.not_of_companies");
  const rows = rules.map(({ value, segment }, place) => ({
    tag,
    place,
    value,
    segmentId: segment,
  }));
  const others = (await store.allRules(tx)).filter((one) => one.tag !== tag);
  const asked = segments.companyTagsIn(all);
  if (isCircular(tag, [...others, ...rows], asked)) return fail("traits.circular");
  await store.putDeclared(tx, { tag, ...label, declaredAt: at, byActor: actor.id }, rows);
  await segments.unlisten(tx, listenerOf(tag));
  for (const id of new Set(rows.map(({ segmentId }) => segmentId)))
    await segments.listen(tx, listenerOf(tag), id);
  await store.followRules(tx, { tag, companies: null, at });
  return ok({ tag });
}
/** Takes a tag's rules away, and what they gave. */
export async function removeTag(
  { tx, at }: Context,
  { tag }: { tag: string },
): Promise<Result<Record<string, never>, "traits.tag_unknown">> {
  if (!(await store.dropDeclared(tx, tag))) return fail("traits.tag_unknown");
  await segments.unlisten(tx, listenerOf(tag));
  await store.followRules(tx, { tag, companies: null, at });
  return ok({});
}
/** These companies came into segments, or left them: the tags that follow from those are worked out anew. */
export async function moved(
  house: House,
  tx: Tx,
  changes: readonly { company: string; segment: string }[],
): Promise<void> {
  const rules = await store.allRules(tx);
  for (const tag of new Set(rules.map((one) => one.tag))) {
    const own = new Set(rules.flatMap((one) => (one.tag === tag ? [one.segmentId] : [])));
    const companies = changes.flatMap(({ company, segment }) =>
      own.has(segment) ? [company] : [],
    );
    if (companies.length > 0)
      await store.followRules(tx, { tag, companies, at: house.clocks.shop() });
  }
}

export type ModelTag = {
  company?: string | undefined;
  ref?: string | undefined;
  tag: string;
  value: string | null;
  confidence: number;
  reason?: string | undefined;
  expiresAt?: string | undefined;
};
type Read =
  | { success: true; data: ModelTag }
  | { success: false; error: Parameters<typeof collect.fieldIn>[0] };
export type Verdict = {
  verdict: "changed" | "same" | "refused";
  reason: string | null;
  field: string | null;
};
const refused = (reason: string, field: string | null): Verdict => ({
  ...{ verdict: "refused", reason, field },
});
/** What a model says of companies, judged one by one. A tag that has rules, or was set by hand, is not the model's. */
export async function modelTags(
  { tx, house, now, newId, actor }: Context,
  { model, tags }: { model: string; tags: readonly Read[] },
): Promise<Verdict[]> {
  const source = actor.source && (await collect.knownSource(house, actor.source));
  const ruled = new Set((await store.allDeclared(tx)).map(({ tag }) => tag));
  const seen = new Set<string>();
  const judge = async (read: Read): Promise<Verdict> => {
    if (!read.success) return refused("invalid", collect.fieldIn(read.error));
    const { company, ref, tag, value, confidence, reason, expiresAt } = read.data;
    if (reservedTags.has(tag) || ruled.has(tag)) return refused("not_yours", "tag");
    if (value !== null && looksDirect(value)) return refused("names_somebody", "value");
    if (reason !== undefined && looksDirect(reason)) return refused("names_somebody", "reason");
    const until = expiresAt === undefined ? null : new Date(expiresAt);
    if (until && until <= now) return refused("past", "expiresAt");
    if (ref !== undefined && !source) return refused("no_source", "ref");
    const id = company ?? companyId(source!.id, ref!);
    if (!(await store.isCompany(tx, id))) return refused("unknown", company ? "company" : "ref");
    if (seen.has(`${id} ${tag}`)) return refused("twice", "tag");
    seen.add(`${id} ${tag}`);
    if (((await store.tagKind(tx, id, tag, now)) ?? "model") !== "model")
      return refused("kept", "tag");
    const changed = await set(tx, {
      ...{ companyId: id, tag, value, kind: "model", source: source ? source.name : "api" },
      reason: { model, ...(reason === undefined ? {} : { words: reason }) },
      ...{ confidence, at: now, expiresAt: until, logId: newId() },
    });
    return { verdict: changed ? "changed" : "same", reason: null, field: null };
  };
  const verdicts: Verdict[] = [];
  for (const read of tags) verdicts.push(await judge(read));
  return verdicts;
}

export async function nameRole(
  { tx }: Context,
  role: { code: string; zh: string; en: string },
): Promise<Result<Record<string, never>, never>> {
  await store.putRole(tx, role);
  return ok({});
}

/** Whatever stands here of one person, and their part of their companies' figures. */
export const erase: privacy.Eraser = async (tx, person, nodes, as) => {
  const companies = (await store.companiesOf(tx, [person])).map(({ companyId: id }) => id);
  await store.eraseRows(tx, person, nodes);
  await figure(tx, companies, null, as);
};
