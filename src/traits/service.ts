// What a caller can ask of traits and of tags that follow from rules. Each function works in the transaction it is given.
import { directName } from "#collect/rules.ts";
import { acceptOwn, fieldIn, knownSource } from "#collect/service.ts";
import type { Context, House } from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader, Tx } from "#kernel/sql.ts";
import { setTimers } from "#kernel/timers.ts";
import { figures, reservedTags } from "#people/rules.ts";
import * as people from "#people/service.ts";
import { looksDirect } from "#privacy/rules.ts";
import { dependsOn } from "#segments/rules.ts";
import * as segments from "#segments/service.ts";
import { selfSource } from "#collect/rules.ts";
import {
  dislikedOf,
  epochMs,
  halfLifeDays,
  nameLimit,
  preferencesOf,
  toldName,
  weights,
  type Preference,
  type Score,
  type Told,
  type Word,
} from "./model/preference.ts";
import { sentenceOf } from "./model/sentence.ts";
import {
  isCircular,
  ownLimit,
  tagsLimit,
  traitsLimit,
  type Own,
  type Sentence,
  type TagDefinition,
  type Trait,
} from "./rules.ts";
import * as store from "./store.ts";

/** As the source of an attribute. */
export const sourceOf = (name: string): string => `trait:${name}`;

/** The timer of figures about one kind of event, of somebody who did very much of it. */
export const later = "traits.later";
/** The timer of a helping of what follows from a declaration: one a trait or tag. */
export const fillTimer = "traits.fill";
export const setFill = (house: House, tx: Tx, { kind, name }: store.What) =>
  setTimers(tx, [
    {
      kind: fillTimer,
      key: `${kind} ${name}`,
      dueAt: house.clocks.machine(),
      data: { kind, name },
    },
  ]);

/** What is declared, as this process last read it. Read again when its generation says so. */
export type Declarations = {
  generation: bigint;
  traits: readonly Trait[];
  byEvent: ReadonlyMap<string, Trait[]>;
  /** `asks`: every segment that a tag's rules lead to. `circular`: it follows from itself, so its rules rest. */
  tags: readonly (TagDefinition & { circular: boolean; asks: ReadonlySet<string> })[];
  segmentNames: ReadonlyMap<string, Sentence>;
  weighed: store.Weighed;
  /** Attributes of the shop's own. */
  owns: readonly Own[];
};
const kept = new WeakMap<object, Declarations>();
export async function declared(house: House, tx: Tx): Promise<Declarations> {
  const generation = await store.heldGeneration(tx);
  const had = kept.get(house);
  if (had?.generation === generation) return had;
  const standing = <T extends { state: string }>(rows: readonly T[]) =>
    rows.filter(({ state }) => state !== "going");
  const traits = standing(await store.all(tx)).map(({ definition }) => definition);
  const definitions = standing(await store.allTags(tx)).map(({ definition }) => definition);
  const all = definitions.length > 0 ? await segments.all(tx) : [];
  const asked = askedIn(all);
  const read: Declarations = {
    generation,
    traits,
    byEvent: Map.groupBy(traits, ({ event }) => event),
    tags: definitions.map((one) => ({
      ...one,
      circular: isCircular(one, definitions, tagsAskedIn(all)),
      asks: new Set(one.rules.flatMap(({ segment }) => [...asked(segment).segments])),
    })),
    segmentNames: new Map(all.map(({ id, name }) => [id, name])),
    weighed: weighedBy((await store.preference(tx)).definition.halfLifeDays ?? halfLifeDays),
    owns: await store.owns(tx),
  };
  kept.set(house, read);
  return read;
}
type Segment = Awaited<ReturnType<typeof segments.all>>[number];
/** The tags that a segment asks about, and the segments: itself, and those in its rule with theirs. */
function askedIn(all: readonly Segment[]) {
  const byId = new Map(all.map((one) => [one.id, dependsOn(one.rule, one.level)]));
  return (segment: string): { tags: Set<string>; segments: Set<string> } => {
    const seen = new Set([segment]);
    const tags = new Set<string>();
    for (const id of seen) {
      const on = byId.get(id);
      for (const tag of on ? [...on.own.tags, ...on.people.tags] : []) tags.add(tag);
      for (const other of on?.segments ?? []) seen.add(other);
    }
    return { tags, segments: seen };
  };
}
const tagsAskedIn = (all: readonly Segment[]) => {
  const asked = askedIn(all);
  return (segment: string) => asked(segment).tags;
};

/** Tags that follow from themselves: their rules rest. */
export const circular = (
  rows: readonly store.DeclaredTag[],
  all: readonly Segment[],
): ReadonlySet<string> => {
  const definitions = rows.map(({ definition }) => definition);
  return new Set(
    definitions.flatMap((one) => (isCircular(one, definitions, tagsAskedIn(all)) ? [one.tag] : [])),
  );
};

// ── traits ─────────────────────────────────────────────────────────────────────────────────────────────────────────

type Refused = "traits.name_taken" | "traits.too_many" | "traits.going";
/** Declares a trait, or changes the one of that name. Everybody has it once they were gone through, in helpings. */
export async function declare(
  { tx, house, at, actor }: Context,
  trait: Trait,
): Promise<Result<{ name: string; version: number; sentence: Sentence }, Refused>> {
  if (figures.has(trait.name)) return fail("traits.name_taken");
  await store.nextGeneration(tx);
  if ((await store.allOwns(tx)).some(({ name }) => name === trait.name))
    return fail("traits.name_taken");
  const all = await store.all(tx);
  const had = all.find(({ name }) => name === trait.name);
  if (had?.state === "going") return fail("traits.going");
  if (!had && all.length >= traitsLimit) return fail("traits.too_many");
  const version = (had?.version ?? 0) + 1;
  const what = store.whatOf("trait", trait.name);
  const answer = { name: trait.name, version, sentence: sentenceOf(trait) };
  if (had && worksAs(had.definition, trait)) {
    await store.rename(tx, what, trait, { declaredAt: at, by: actor.id });
    return ok(answer);
  }
  const total = await store.everybodyCount(tx);
  await store.put(tx, what, { version, by: actor.id, declaredAt: at, total }, trait);
  await setFill(house, tx, what);
  return ok(answer);
}
/** Is the same worked out by both, whatever they are called and whoever sees it? */
const worksAs = (a: Trait, b: Trait): boolean => workOf(a) === workOf(b);
/** As it is kept, the parts of a filter stand in another order than as they were said. */
const workOf = ({ fn, event, property, hours, where = [] }: Trait): string => {
  const filters = where.map((one) => Object.entries(one).toSorted(([x], [y]) => (x < y ? -1 : 1)));
  return JSON.stringify([fn, event, property ?? null, hours, filters]);
};

/** Takes a trait away; its figures go with it, in helpings. */
export const remove = (
  context: Context,
  { trait }: { trait: string },
): Promise<Result<Record<string, never>, "traits.unknown">> =>
  leave(context, store.whatOf("trait", trait), "traits.unknown");

async function leave<C extends string>(
  { tx, house }: Context,
  what: store.What,
  unknown: C,
): Promise<Result<Record<string, never>, C>> {
  await store.nextGeneration(tx);
  const left = await store.restart(tx, what, "going", await store.everybodyCount(tx));
  if (left.count === 0) return fail(unknown);
  await setFill(house, tx, what);
  return ok({});
}

/** How each attribute that is a trait was worked out, by its source. */
export async function hows(
  reader: Reader,
): Promise<Map<string, { label: Sentence; unit: string | null; how: Sentence; shown: boolean }>> {
  return new Map(
    (await store.all(reader)).map(({ name, definition }) => [
      sourceOf(name),
      {
        label: definition.label,
        unit: definition.unit ?? null,
        how: sentenceOf(definition),
        shown: definition.shown === true,
      },
    ]),
  );
}

// ── attributes of the shop's own ───────────────────────────────────────────────────────────────────────────────────

export const { owns } = store;
export const { allOwns } = store;
/**
 * Declares an attribute that people are asked about, or changes its name and options. Its type stays: what is there
 * already would be read wrongly. Everybody is then gone through, so that what was said before fills it too, and what is
 * no option any more goes.
 */
export async function declareOwn(
  { tx, house, at, actor }: Context,
  own: Own,
): Promise<
  Result<
    { name: string },
    | "traits.name_taken"
    | "traits.too_many_attributes"
    | "traits.attribute_type"
    | "traits.attribute_going"
  >
> {
  // How somebody is called or reached is sealed, whatever a shop declares.
  if (figures.has(own.name) || directName(own.name) !== null) return fail("traits.name_taken");
  await store.nextGeneration(tx);
  if ((await store.all(tx)).some(({ name }) => name === own.name)) return fail("traits.name_taken");
  const all = await store.allOwns(tx);
  const had = all.find(({ name }) => name === own.name);
  if (had?.state === "going") return fail("traits.attribute_going");
  if (!had && all.length >= ownLimit) return fail("traits.too_many_attributes");
  if (had && had.definition.type !== own.type) return fail("traits.attribute_type");
  const values = ({ options }: Own) => options.map(({ value }) => value).join("\n");
  if (had && values(had.definition) === values(own)) {
    await store.rename(tx, store.whatOf("attribute", own.name), own, {
      declaredAt: at,
      by: actor.id,
    });
    return ok({ name: own.name });
  }
  const version = (had?.version ?? 0) + 1;
  const total = await store.everybodyCount(tx);
  const what = store.whatOf("attribute", own.name);
  await store.put(tx, what, { version, by: actor.id, declaredAt: at, total }, own);
  await setFill(house, tx, what);
  return ok({ name: own.name });
}
/** What asks for an attribute: ids of segments, slugs of forms, names of traits. */
export type Uses = { segments: string[]; forms: string[]; traits: string[] };
/** Deletes an attribute with everybody's answers in their profiles, unless something still asks for it. */
export async function removeOwn(
  context: Context,
  name: string,
  { segments: bySegments, forms, traits }: Uses,
): Promise<Result<Record<string, never>, "traits.attribute_unknown" | "traits.attribute_used">> {
  if (bySegments.length + forms.length + traits.length > 0)
    return fail("traits.attribute_used", { segments: bySegments, forms, traits });
  return leave(context, store.whatOf("attribute", name), "traits.attribute_unknown");
}

// ── tags that follow from rules ────────────────────────────────────────────────────────────────────────────────────

const listenerOf = (tag: string) => `traits:${tag}`;
/** A figure that a tag follows from, where no segment says it yet. */
export type Condition =
  | { attribute: string; is: "eq" | "ne" | "lt" | "le" | "gt" | "ge"; value: number }
  | { attribute: string; in: string[] };
export type AskedRule = { value: string } & ({ segment: string } | { when: Condition });
type TagAsked = Omit<TagDefinition, "rules"> & { rules: AskedRule[] };
type TagRefused =
  | "people.tag_reserved"
  | "people.tag_names"
  | "traits.too_many_tags"
  | "traits.tag_going"
  | "traits.circular"
  | "segments.unknown";

/** Declares a tag with its rules, or changes it. A condition on a figure becomes a segment of its own. */
export async function declareTag(
  context: Context,
  { rules: asked, ...tag }: TagAsked,
): Promise<Result<{ tag: string; version: number }, TagRefused>> {
  const { tx, house, at, actor } = context;
  if (reservedTags.has(tag.tag)) return fail("people.tag_reserved");
  if (asked.some(({ value }) => looksDirect(value))) return fail("people.tag_names");
  await store.nextGeneration(tx);
  const rows = await store.allTags(tx);
  const had = rows.find((one) => one.tag === tag.tag);
  if (had?.state === "going") return fail("traits.tag_going");
  if (!had && rows.length >= tagsLimit) return fail("traits.too_many_tags");
  const rules: TagDefinition["rules"] = [];
  await segments.hold(tx);
  for (const one of asked) {
    if ("segment" in one) {
      rules.push(one);
      continue;
    }
    const { value, when } = one;
    const name = { zh: `${tag.label.zh}：${value}`, en: `${tag.label.en}: ${value}` };
    const made = await segments.define(context, {
      ...{ name, purpose: "analysis" },
      rule: "in" in when ? { kind: "text", ...when } : { kind: "number", ...when },
    });
    if (!made.ok) return fail("segments.unknown");
    rules.push({ value, segment: made.value.id });
  }
  const all = await segments.all(tx);
  if (!rules.every(({ segment }) => all.some(({ id }) => id === segment)))
    return fail("segments.unknown");
  const definition: TagDefinition = { ...tag, rules };
  const others = rows.map((one) => one.definition).filter((one) => one.tag !== tag.tag);
  if (isCircular(definition, [...others, definition], tagsAskedIn(all)))
    return fail("traits.circular");
  const version = (had?.version ?? 0) + 1;
  const what = store.whatOf("tag", tag.tag);
  const total = await store.everybodyCount(tx);
  await store.put(tx, what, { version, by: actor.id, declaredAt: at, total }, definition);
  await segments.unlisten(tx, listenerOf(tag.tag));
  for (const segment of new Set(rules.map((rule) => rule.segment)))
    await segments.listen(tx, listenerOf(tag.tag), segment);
  await setFill(house, tx, what);
  return ok({ tag: tag.tag, version });
}
/** Takes a tag's rules away; what they gave goes with them, in helpings. */
export async function removeTag(
  context: Context,
  { tag }: { tag: string },
): Promise<Result<Record<string, never>, "traits.tag_unknown">> {
  const left = await leave(context, store.whatOf("tag", tag), "traits.tag_unknown");
  if (left.ok) await segments.unlisten(context.tx, listenerOf(tag));
  return left;
}

const byRule = "rule";
/**
 * Gives these people the tags that their segments say, and takes away what none says any more. `causes`: the event
 * behind it, by person id. Says how many tags changed.
 */
export async function retag(
  house: House,
  tx: Tx,
  tags: Declarations["tags"],
  those: readonly PersonKey[],
  causes: ReadonlyMap<string, string> = new Map(),
): Promise<number> {
  if (tags.length === 0 || those.length === 0) return 0;
  const now = house.clocks.shop();
  await store.lockPeople(tx, those);
  const { segmentNames } = await declared(house, tx);
  const asked = tags.flatMap(({ rules }) => rules.map(({ segment }) => segment));
  const [held, members] = await Promise.all([
    people.tagsHeld(
      tx,
      those,
      tags.map(({ tag }) => tag),
      now,
    ),
    store.membersAmong(tx, those, [...new Set(asked)]),
  ]);
  const had = new Map(held.map((one) => [`${one.personId} ${one.tag}`, one]));
  const isIn = new Map(members.map((one) => [`${one.personId} ${one.segmentId}`, one]));
  const rows: people.TagChange[] = [];
  for (const { tag, rules, circular } of tags)
    for (const { bucket, personId } of those) {
      const person = { bucket, personId };
      const was = had.get(`${personId} ${tag}`);
      if (was?.kind === "hand") continue;
      const fits = circular
        ? undefined
        : rules.find(({ segment }) => isIn.has(`${personId} ${segment}`));
      const common = { person, tag, kind: "rule" as const, source: byRule, at: now };
      if (!fits) {
        if (was?.kind === "rule" && was.source === byRule)
          rows.push({ ...common, value: null, reason: {}, cause: causes.get(personId) });
        continue;
      }
      const { value, segment } = fits;
      if (was?.value === value && was.source === byRule) continue;
      const cause = causes.get(personId) ?? isIn.get(`${personId} ${segment}`)!.event ?? undefined;
      rows.push({ ...common, value, reason: { segment, ...segmentNames.get(segment) }, cause });
    }
  if (rows.length > 0) await people.setTags(tx, house.newId, rows);
  return rows.length;
}
/** What rules say of a tag again, after a hand let go of it. */
export async function afterHand(
  house: House,
  tx: Tx,
  changed: readonly { person: PersonKey; tag: string }[],
): Promise<void> {
  if (changed.length === 0) return;
  const { tags } = await declared(house, tx);
  for (const [tag, of] of Map.groupBy(changed, (one) => one.tag))
    await retag(
      house,
      tx,
      tags.filter((one) => one.tag === tag),
      of.map(({ person }) => person),
    );
}
/** Takes away what rules gave of a tag that is going. */
export async function untag(
  house: House,
  tx: Tx,
  tag: string,
  those: readonly PersonKey[],
): Promise<void> {
  await store.lockPeople(tx, those);
  const now = house.clocks.shop();
  const held = await people.tagsHeld(tx, those, [tag], now);
  await people.setTags(
    tx,
    house.newId,
    held.flatMap(({ bucket, personId, kind, source }): people.TagChange[] =>
      kind === "rule" && source === byRule
        ? [
            {
              person: { bucket, personId },
              ...{ tag, value: null, kind: "rule", source: byRule, reason: {}, at: now },
            },
          ]
        : [],
    ),
  );
}

/** What tags with rules are called, and whether those whom they are about may see them. */
export const tagLabels = async (
  reader: Reader,
): Promise<Map<string, Pick<TagDefinition, "label" | "shown">>> =>
  new Map((await store.allTags(reader)).map(({ tag, definition }) => [tag, definition]));

// ── tags of a model ────────────────────────────────────────────────────────────────────────────────────────────────

export type ModelTag = {
  person?: string | undefined;
  user?: string | undefined;
  tag: string;
  value: string | null;
  confidence: number;
  reason?: string | undefined;
  expiresAt?: string | undefined;
};
export type Verdict = { verdict: "changed" | "same" | "refused" } & {
  reason: string | null;
  field: string | null;
};
const refused = (reason: string, field: string): Verdict => ({ verdict: "refused", reason, field });
type Read =
  | { success: true; data: ModelTag }
  | { success: false; error: Parameters<typeof fieldIn>[0] };

/**
 * Tags that a model of the shop's says, each judged by itself: what is not right costs no neighbour. A tag by hand and a
 * tag that has rules are not the model's to change.
 */
export async function modelTags(
  { tx, house, now, newId, actor }: Context,
  { model, tags }: { model: string; tags: readonly Read[] },
): Promise<Verdict[]> {
  const source = actor.source && (await knownSource(house, actor.source));
  const { tags: ruled } = await declared(house, tx);
  const verdicts: Verdict[] = [];
  const rows: (people.TagChange & { place: number })[] = [];
  const seen = new Set<string>();
  for (const [i, read] of tags.entries()) {
    const judged = await judge(read);
    if ("verdict" in judged) verdicts[i] = judged;
    else rows.push({ ...judged, place: i });
  }
  async function judge(read: Read): Promise<Verdict | people.TagChange> {
    if (!read.success) return refused("invalid", fieldIn(read.error));
    const { person: id, user, tag, value, confidence, reason, expiresAt } = read.data;
    if (reservedTags.has(tag) || ruled.some((one) => one.tag === tag))
      return refused("not_yours", "tag");
    if (value !== null && looksDirect(value)) return refused("names_somebody", "value");
    if (reason !== undefined && looksDirect(reason)) return refused("names_somebody", "reason");
    const until = expiresAt === undefined ? undefined : new Date(expiresAt);
    if (until && until <= now) return refused("past", "expiresAt");
    if (user !== undefined && !source) return refused("no_source", "user");
    const found = id
      ? await people.find(tx, id)
      : await people.byIdentifier(house, tx, "user_id", user!, source!.space);
    const person = found && "ok" in found ? (found.ok ? found.value : null) : found;
    if (!person) return refused("unknown", id ? "person" : "user");
    if (seen.has(`${person.personId} ${tag}`)) return refused("twice", "tag");
    seen.add(`${person.personId} ${tag}`);
    return {
      ...{ person, tag, value, kind: "model", source: source?.name ?? "api", at: now, confidence },
      reason: { model, ...(reason === undefined ? {} : { words: reason }) },
      ...(until ? { expiresAt: until } : {}),
    };
  }
  if (rows.length > 0) {
    const whose = rows.map(({ person }) => person);
    await store.lockPeople(tx, whose);
    const held = await people.tagsHeld(tx, whose, [...new Set(rows.map(({ tag }) => tag))], now);
    const byHand = new Set(
      held.flatMap(({ personId, tag, kind }) => (kind === "model" ? [] : [`${personId} ${tag}`])),
    );
    const keyOf = ({ person, tag }: people.TagChange) => `${person.personId} ${tag}`;
    const free = rows.filter((row) => !byHand.has(keyOf(row)));
    const changed = new Set(
      (await people.setTags(tx, newId, free)).map(({ personId, tag }) => `${personId} ${tag}`),
    );
    for (const row of rows)
      verdicts[row.place] = byHand.has(keyOf(row))
        ? refused("kept", "tag")
        : { verdict: changed.has(keyOf(row)) ? "changed" : "same", reason: null, field: null };
  }
  return verdicts;
}

// ── what people are drawn to ───────────────────────────────────────────────────────────────────────────────────────

/** Names of events that say what somebody is drawn to. */
export const weighedNames = Object.keys(weights);
/** What a sighting counts for, with what the shop set. */
export const weighedBy = (halfLife: number): store.Weighed => ({
  names: weighedNames,
  weights: Object.values(weights),
  epoch: new Date(epochMs),
  halfLifeSeconds: halfLife * 86_400,
  nameLimit,
});
/** Sets how many days it takes until a sighting counts half; everybody is then gone through. */
export async function setHalfLife(
  { tx, house, at, actor }: Context,
  { halfLifeDays: days }: { halfLifeDays: number },
): Promise<Result<Record<string, never>, never>> {
  await store.nextGeneration(tx);
  await store.setHalfLife(tx, days, at, actor.id);
  const what = store.whatOf("preference", "preference");
  await store.restart(tx, what, "filling", await store.everybodyCount(tx));
  await setFill(house, tx, what);
  return ok({});
}
type Drawn = { preferences: Preference[]; disliked: string[]; scores: Score[]; told: Told[] };
/** What each of these people is drawn to, and what it is made of; those of whom nothing is known are left out. */
export async function drawn(
  reader: Reader,
  those: readonly PersonKey[],
): Promise<Map<string, Drawn>> {
  const [scores, told] = await Promise.all([
    store.preferences(reader, those),
    store.told(reader, those, toldName, selfSource),
  ]);
  const scoresOf = Map.groupBy(scores, ({ personId }) => personId);
  const toldOf = Map.groupBy(told, ({ personId }) => personId);
  return new Map(
    [...new Set([...scoresOf.keys(), ...toldOf.keys()])].map((id) => {
      const own = {
        scores: (scoresOf.get(id) ?? []).map((row) => ({ ...row, lastAt: row.lastAt.getTime() })),
        told: (toldOf.get(id) ?? []).map(({ category, word, at, id: event }): Told => ({
          ...{ category, word: word as Word, at: at.getTime(), id: event },
        })),
      };
      return [
        id,
        {
          ...own,
          preferences: preferencesOf(own.scores, own.told),
          disliked: dislikedOf(own.told),
        },
      ];
    }),
  );
}

/** What a person says of themselves, as an event of the log: it is folded like everything else. */
export async function ownWord(
  house: House,
  tx: Tx,
  person: PersonKey,
  event: Parameters<typeof acceptOwn>[3],
): Promise<Result<{ event: string }, "people.unknown">> {
  const own = await people.numberOf(house, tx, person);
  if (!own) return fail("people.unknown");
  const said = await acceptOwn(house, tx, own, event);
  return said.verdict === "accepted" ? ok({ event: said.event }) : fail("people.unknown");
}

/** Categories that a person has a word on, at most. */
const wordsLimit = 100;
/** The person's own word on a category, as an event of the log. */
export async function tell(
  { tx, house, actor, now, newId }: Context,
  { category, word }: { category: string; word: Word },
): Promise<
  Result<
    { event: string },
    "request.forbidden" | "people.unknown" | "people.unfit" | "traits.too_many_words"
  >
> {
  if (actor.scope.kind !== "person") return fail("request.forbidden");
  if (looksDirect(category)) return fail("people.unfit", { fields: ["category"] });
  const { person } = actor.scope;
  const { told = [] } = (await drawn(tx, [person])).get(person.personId) ?? {};
  const names = new Set(told.map((one) => one.category)).add(category);
  if (names.size > wordsLimit) return fail("traits.too_many_words");
  const data = { category, word };
  return ownWord(house, tx, person, { key: newId(), name: toldName, at: now, data });
}

/** Everything traits hold of a person beside their profile and tags. */
export const erase = store.erasePerson;
