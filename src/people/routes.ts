import { audit } from "#kernel/audit.ts";
import {
  answer,
  direct,
  implement,
  type Context,
  type House,
  type Reading,
} from "#kernel/endpoint.ts";
import { fail, ok, type Result } from "#kernel/result.ts";
import type { PersonKey, Reader } from "#kernel/sql.ts";
import { readEvent } from "#collect/rules.ts";
import * as messages from "#messages/service.ts";
import { looksDirect } from "#privacy/rules.ts";
import * as privacy from "#privacy/service.ts";
import { ownSaid, ownValue } from "#traits/rules.ts";
import * as traits from "#traits/service.ts";
import * as api from "./api.ts";
import {
  changeSentence,
  entrySentence,
  fromSentence,
  refusedSentence,
  whySentence,
} from "./model/sentence.ts";
import {
  identifierTypes,
  masked,
  ownAttributes,
  reservedTags,
  shownUserId,
  type IdentifierType,
  type Profile,
} from "./rules.ts";
import * as service from "./service.ts";
import * as views from "./views.ts";

/** Whoever was given some people as cases sees those; a stranger looks to them like nobody. */
async function seen(
  { house, scope }: Pick<Reading, "house" | "scope">,
  personId: string,
): Promise<Result<PersonKey, "people.unknown">> {
  const may = scope.kind === "all" || (scope.kind === "cases" && scope.people.includes(personId));
  return may ? service.find(house.sql, personId) : fail("people.unknown");
}
const mayFind = ({ actor }: Pick<Reading, "actor">): boolean =>
  actor.permissions.has("members:find");

const figure = (profile: Profile, name: string): number => Number(profile[name]?.v ?? 0);
const text = (profile: Profile, name: string): string | null =>
  typeof profile[name]?.v === "string" ? profile[name].v : null;

/** What people are called, each in clear only for whoever may see it. */
async function labels(reading: Reading, people: PersonKey[]) {
  const { house } = reading;
  const [userIds, names, emails] = await Promise.all([
    service.identifiers(house, house.sql, people, "user_id"),
    service.fields(house, house.sql, people, "name"),
    service.fields(house, house.sql, people, "email"),
  ]);
  const may = mayFind(reading);
  const show = (field: string, value: string | undefined) =>
    value === undefined ? null : may ? value : masked(field, value);
  return (personId: string) => {
    const userId = userIds.get(personId);
    return {
      personId,
      userId: userId === undefined ? null : shownUserId(userId, may),
      name: show("name", names.get(personId)),
      email: show("email", emails.get(personId)),
    };
  };
}

/** A page ends at a key and a person; the next one begins after them. */
function afterOf(cursor: string | undefined, sort: views.Sort) {
  const [, key, personId] =
    /^(.*)_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(cursor ?? "") ?? [];
  const fits = sort === "last_order" ? /^([\d:.TZ-]{24})?$/ : /^-?\d{1,18}$/;
  return key !== undefined && personId && fits.test(key) ? { key, personId } : null;
}
const list = answer(api.list, async (reading, { after, limit, sort, tag, value, ...asked }) => {
  const { house, scope, now } = reading;
  const [name, ...rest] = tag?.split(":") ?? [];
  const filters: views.Filters = {
    ...asked,
    tag: name ? { name, value: value ?? (rest.length > 0 ? rest.join(":") : null) } : undefined,
    people: scope.kind === "all" ? undefined : scope.kind === "cases" ? scope.people : [],
  };
  const [total, rows] = await Promise.all([
    views.total(house.sql, filters, now),
    views.page(house.sql, filters, sort, now, afterOf(after, sort), limit + 1),
  ]);
  const page = rows.slice(0, limit);
  const people = page.map(({ bucket, personId }) => ({ bucket, personId }));
  const [label, tagged] = await Promise.all([
    labels(reading, people),
    views.tagsOf(house.sql, people, ["lifecycle", "rfm", "rfm_segment"], now),
  ]);
  const tags = new Map(tagged.map((one) => [`${one.personId} ${one.tag}`, one.value]));
  const last = page.at(-1);
  return ok({
    total,
    members: page.map(({ personId, attributes }) => ({
      ...label(personId),
      stage: tags.get(`${personId} lifecycle`) ?? null,
      rfm: tags.get(`${personId} rfm`) ?? null,
      rfmSegment: tags.get(`${personId} rfm_segment`) ?? null,
      orders: figure(attributes, "orders"),
      spentMinor: String(figure(attributes, "spent_minor")),
      currency: text(attributes, "currency"),
      lastOrderAt: text(attributes, "last_order_at"),
      country: text(attributes, "country"),
    })),
    next: rows.length > limit && last ? `${last.key}_${last.personId}` : null,
  });
});

type Sought = {
  email?: string | undefined;
  phone?: string | undefined;
  userId?: string | undefined;
  source?: string | undefined;
};
async function sought(house: House, { email, phone, userId, source }: Sought) {
  if (email) return service.byIdentifier(house, house.sql, "email", email);
  if (phone) return service.byIdentifier(house, house.sql, "phone", phone);
  const sources = source ? [{ id: source }] : await views.sourceIds(house.sql);
  for (const { id } of sources) {
    const person = await service.byIdentifier(house, house.sql, "user_id", userId!, id);
    if (person) return person;
  }
  return null;
}
/** A read that names somebody: not by its address, where it would be logged, and with a line in the audit. */
const find = direct(api.find, async ({ house, actor, at }, input) => {
  const person = await sought(house, input);
  await house.sql.begin((tx) =>
    audit(house, tx, [
      {
        at,
        actor: actor.id,
        endpoint: `${api.find.method} ${api.find.path}`,
        target: person ? { person: person.personId } : {},
        outcome: person ? "ok" : "people.unknown",
        requestId: null,
      },
    ]),
  );
  return person ? ok({ personId: person.personId }) : fail("people.unknown");
});

const show = answer(api.show, async (reading, { person: personId }) => {
  const { house, now } = reading;
  const person = await seen(reading, personId);
  if (!person.ok) return person;
  const key = person.value;
  const header = await views.header(house.sql, key);
  if (!header) return fail("people.unknown");
  const may = mayFind(reading);
  const [label, hows, owns, tagLabels, tags, values, about, nodes] = await Promise.all([
    labels(reading, [key]),
    traits.hows(house.sql),
    traits.owns(house.sql),
    traits.tagLabels(house.sql),
    views.tags(house.sql, key, now),
    service.allFields(house, house.sql, key),
    views.fieldsAbout(house.sql, key),
    views.nodes(house.sql, key),
  ]);
  const keys = await privacy.nodeKeys(house, house.sql, nodes);
  return ok({
    ...label(personId),
    demo: header.demo,
    source: header.source,
    seenAt: header.seenAt.toISOString(),
    attributes: Object.entries(header.attributes)
      .filter(([, { v }]) => v !== null)
      .map(([name, { v, s, at, c, id = null }]) => {
        const trait = hows.get(s) ?? null;
        const own = owns.find((one) => one.name === name);
        const said = own ? ownSaid(own, v, house.clocks.timeZone) : v;
        return {
          ...{ name, source: s, at, confidence: c, event: id, trait },
          ...{ label: own?.label ?? null, value: said },
          choice: own?.options.find(({ value }) => value === v)?.label ?? null,
        };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    tags: tags.map((tag) => ({
      ...tag,
      label: tagLabels.get(tag.tag)?.label ?? null,
      sentence: whySentence(tag, house.settings.currency),
      at: tag.at.toISOString(),
      expiresAt: tag.expiresAt?.toISOString() ?? null,
    })),
    fields: about.flatMap(({ field, source, at }) => {
      const value = values.get(field);
      if (value === undefined) return [];
      const shown = may ? value : masked(field, value);
      return [{ field, value: shown, masked: !may, source, at: at.toISOString() }];
    }),
    identifiers: nodes.flatMap(({ type, nodeId, sealed, source }) => {
      const nodeKey = keys.get(nodeId);
      if (!nodeKey) return [];
      const value = privacy.openSealed(nodeKey, "people_node|sealed", nodeId, sealed);
      const clear = may || (type === "user_id" && !looksDirect(value));
      return [{ type, value: clear ? value : masked(type, value), masked: !clear, source }];
    }),
  });
});

const cursorOf = ({ at, id }: { at: Date; id: string }) => `${at.toISOString()}_${id}`;
function momentOf(cursor: string | undefined): { at: Date; id: string } | null {
  const [, at, id] = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)_([a-z]+:[\w:-]+)$/.exec(cursor ?? "") ?? [];
  return at && id && !Number.isNaN(Date.parse(at)) ? { at: new Date(at), id } : null;
}
const timeline = answer(api.timeline, async (reading, { person: personId, after, limit }) => {
  const { house, now } = reading;
  const person = await seen(reading, personId);
  if (!person.ok) return person;
  const [rows, labels] = await Promise.all([
    views.timeline(house.sql, person.value, now, momentOf(after), limit + 1),
    traits.tagLabels(house.sql),
  ]);
  const page = rows.slice(0, limit);
  return ok({
    entries: page.map(({ id, kind, at, event, data }) => ({
      id,
      kind,
      at: at.toISOString(),
      event,
      sentence: entrySentence(kind, data, labels),
    })),
    next: rows.length > limit ? cursorOf(page.at(-1)!) : null,
  });
});

const tagHistory = answer(api.tagHistory, async (reading, { person: personId, tag }) => {
  const { house } = reading;
  const person = await seen(reading, personId);
  if (!person.ok) return person;
  const lines = await views.tagHistory(house.sql, person.value, tag);
  const label = (await traits.tagLabels(house.sql)).get(tag)?.label;
  return ok({
    changes: lines.map(({ at, ...line }) => ({
      ...line,
      at: at.toISOString(),
      sentence: changeSentence(tag, line.before, line.after, label),
    })),
  });
});

const tag = implement(api.tag, async ({ tx, house, now, newId, actor }, asked) => {
  const { person: personId, tag: name, value, expiresAt, reason } = asked;
  const person = await service.find(tx, personId);
  if (!person.ok) return person;
  if (reservedTags.has(name)) return fail("people.tag_reserved");
  if ([value, reason].some((text) => text && looksDirect(text))) return fail("people.tag_names");
  const until = expiresAt === undefined ? null : new Date(expiresAt);
  if (until && until <= now) return fail("people.tag_expired");
  const changed = await service.setTags(tx, newId, [
    {
      person: person.value,
      tag: name,
      value,
      kind: "hand",
      source: "hand",
      reason: { by: actor.id, ...(reason === undefined ? {} : { words: reason }) },
      at: now,
      ...(until ? { expiresAt: until } : {}),
    },
  ]);
  // What a hand let go of is what the rules say again.
  if (value === null) await traits.afterHand(house, tx, [{ person: person.value, tag: name }]);
  return ok({ changed: changed.length > 0 });
});

const mine = answer(api.mine, async ({ house, scope, now }) => {
  if (scope.kind !== "person") return fail("request.forbidden");
  const key = scope.person;
  const header = await views.header(house.sql, key);
  if (!header) return fail("people.unknown");
  const [userIds, values, about, traitsSaid, tags, shownTags, drawn, consents, owns] =
    await Promise.all([
      service.identifiers(house, house.sql, [key], "user_id"),
      service.allFields(house, house.sql, key),
      views.fieldsAbout(house.sql, key),
      traits.hows(house.sql),
      views.tags(house.sql, key, now),
      traits.tagLabels(house.sql),
      traits.drawn(house.sql, [key]),
      messages.consentsOf(house.sql, key, now),
      traits.owns(house.sql),
    ]);
  const own = drawn.get(key.personId);
  const ownBy = new Map(owns.map((one) => [one.name, one]));
  return ok({
    personId: key.personId,
    userId: userIds.get(key.personId) ?? null,
    fields: about.flatMap(({ field, source, at }) => {
      const value = values.get(field);
      // A claim fills none of them.
      const said = { source, from: fromSentence(source, 1), at: at.toISOString(), confidence: 1 };
      return value === undefined ? [] : [{ field, value, ...said }];
    }),
    attributes: Object.entries(header.attributes)
      .filter(
        ([name, { v, s }]) =>
          v !== null && (ownAttributes.has(name) || ownBy.has(name) || traitsSaid.get(s)?.shown),
      )
      .map(([name, { v, s, at, c }]) => {
        const asked = ownBy.get(name);
        const value = asked ? ownSaid(asked, v, house.clocks.timeZone) : v;
        const label = asked?.label ?? traitsSaid.get(s)?.label ?? null;
        return { name, label, value, source: s, from: fromSentence(s, c), at, confidence: c };
      })
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    tags: tags.flatMap(({ tag, value, at }) => {
      const { label, shown } = shownTags.get(tag) ?? {};
      return label && shown ? [{ tag, label, value, at: at.toISOString() }] : [];
    }),
    preferences: own?.preferences ?? [],
    disliked: own?.disliked ?? [],
    asked: owns,
    consents,
  });
});

/** The names of what is taken away, and what is said. */
function parted<T>(said: Readonly<Record<string, T>>): [string[], Record<string, NonNullable<T>>] {
  const all = Object.entries(said);
  return [
    all.flatMap(([name, value]) => (value === null ? [name] : [])),
    Object.fromEntries(
      all.flatMap(([name, value]) =>
        value === null || value === undefined ? [] : [[name, value] as const],
      ),
    ),
  ];
}
const correct = implement(api.correct, async ({ tx, house, actor, now, newId }, asked) => {
  if (actor.scope.kind !== "person") return fail("request.forbidden");
  const { attributes = {}, ...given } = asked;
  const [gone, fields] = parted(given);
  const [noAnswer, answers] = parted(attributes);
  const owns = new Map((await traits.owns(tx)).map((one) => [one.name, one]));
  const unfit = Object.entries(attributes).flatMap(([name, value]) => {
    const one = owns.get(name);
    const fits =
      one && (value === null || ownValue(one, value, house.clocks.timeZone) !== undefined);
    return fits ? [] : [`attributes.${name}`];
  });
  if (unfit.length > 0) return fail("people.unfit", { fields: unfit });
  const removed = [...gone, ...noAnswer];
  const data = {
    ...(Object.keys(answers).length > 0 ? { answers } : {}),
    ...(removed.length > 0 ? { removed } : {}),
  };
  const said = { key: newId(), name: "identify", user: "self", at: now, data, traits: fields };
  const read = readEvent(said, "server", now);
  // "Beijing, call 13800138000" is no city.
  if ("reason" in read)
    return fail("people.unfit", { fields: [read.field.replace(/^traits\./, "")] });
  return traits.ownWord(house, tx, actor.scope.person, read);
});

// ── who is who ──

type SealedNode = { bucket: number; nodeId: string; type: string; sealed: Buffer };
/** What nodes are called, masked for whoever may not search by such; null where its key is gone. */
async function shownNodes(
  { house, actor }: Pick<Reading, "house" | "actor">,
  reader: Reader,
  nodes: readonly SealedNode[],
) {
  const may = mayFind({ actor });
  const keys = await privacy.nodeKeys(house, reader, [...nodes]);
  const shown = new Map(
    nodes.flatMap(({ nodeId, type, sealed }) => {
      const key = keys.get(nodeId);
      if (!key) return [];
      const value = privacy.openSealed(key, "people_node|sealed", nodeId, sealed);
      const clear = may || (type === "user_id" && !looksDirect(value));
      return [
        [nodeId, { type, value: clear ? value : masked(type, value), masked: !clear }] as const,
      ];
    }),
  );
  return (nodeId: string | undefined) => (nodeId && shown.get(nodeId)) || null;
}
/** People by what they are while they are alone. */
async function shownHomes(
  reading: Pick<Reading, "house" | "actor">,
  reader: Reader,
  people: readonly PersonKey[],
) {
  const homes = await views.homeNodes(reader, people);
  const shown = await shownNodes(reading, reader, [...homes.values()]);
  return (personId: string) => ({ personId, identifier: shown(homes.get(personId)?.nodeId) });
}
const nothing = {
  ...{ identifiers: 0, events: 0, orders: 0, coupons: 0, usable: 0, programmes: 0 },
  ...{ experiments: 0, messages: 0, consents: 0, tags: 0, segments: 0 },
};

/** The answer of a command is kept for a while: nobody's address stands in it, whoever asks. */
const asNobody = ({ house, actor }: Context): Pick<Reading, "house" | "actor"> => ({
  house,
  actor: { ...actor, permissions: new Set() },
});
const merge = implement(api.merge, async (context, asked) => {
  const { tx } = context;
  if (looksDirect(asked.reason)) return fail("people.reason_names", { fields: ["reason"] });
  const said = await service.mergeByHand(context, asked);
  if (!said.ok) return said;
  const { act, job, stays, goes } = said.value;
  const [somebody, had, both] = [
    await shownHomes(asNobody(context), tx, [stays, goes]),
    await views.belongings(tx, [goes]),
    await views.between(tx, goes, stays),
  ];
  return ok({
    ...{ act, job, stays: somebody(stays.personId), goes: somebody(goes.personId), both },
    moves: { ...nothing, ...had.get(goes.personId) },
  });
});
const unmerge = implement(api.unmerge, async (context, asked) => {
  const { tx } = context;
  if (looksDirect(asked.reason)) return fail("people.reason_names", { fields: ["reason"] });
  const said = await service.unmergeByHand(context, asked);
  if (!said.ok) return said;
  const { act, job, merge: of } = said.value;
  const somebody = await shownHomes(asNobody(context), tx, [
    { bucket: of.fromBucket, personId: of.fromId },
    { bucket: of.intoBucket, personId: of.intoId },
  ]);
  return ok({
    ...{ act, job, from: somebody(of.fromId), into: somebody(of.intoId), returns: of.moved },
    spent: await views.spentSince(tx, of.id),
  });
});

/** So many merges and refusals of one member are listed. */
const listed = 200;
const merges = answer(api.merges, async (reading, { person: personId }) => {
  const { house } = reading;
  const person = await seen(reading, personId);
  if (!person.ok) return person;
  const all = await views.mergesOf(house.sql, person.value.personId, listed);
  const somebody = await shownHomes(
    reading,
    house.sql,
    all.flatMap(({ fromBucket, fromId, intoBucket, intoId }) => [
      { bucket: fromBucket, personId: fromId },
      { bucket: intoBucket, personId: intoId },
    ]),
  );
  return ok({
    merges: all.map(({ id, fromId, intoId, at, state, word, by, why, cause, moved, ...one }) => ({
      ...{ id, from: somebody(fromId), into: somebody(intoId), at: at.toISOString(), state, word },
      ...{ by, why, event: word === "hand" ? null : cause, moved },
      parted: one.partedAt && {
        at: one.partedAt.toISOString(),
        ...{ by: one.partedBy, why: one.partedWhy },
      },
    })),
  });
});
const refusals = answer(api.refusals, async (reading, { person: personId }) => {
  const { house } = reading;
  const person = await seen(reading, personId);
  if (!person.ok) return person;
  const all = await views.refusalsOf(house.sql, person.value, listed);
  const shown = await shownNodes(
    reading,
    house.sql,
    all.flatMap((one) => [
      one,
      {
        bucket: one.otherBucket,
        nodeId: one.otherNodeId,
        ...{ type: one.otherType, sealed: one.otherSealed },
      },
    ]),
  );
  const own = person.value.personId;
  return ok({
    refusals: all.map(({ at, eventId, reason, nodeId, otherNodeId, ...one }) => ({
      ...{ at: at.toISOString(), event: eventId, reason, sentence: refusedSentence(reason) },
      ...{ said: shown(nodeId), other: shown(otherNodeId) },
      otherPerson: one.personId === own ? one.otherPersonId : one.personId,
    })),
  });
});

const rules = answer(api.rules, async (reading) => {
  const { house } = reading;
  const may = mayFind(reading);
  const { limits, blocked } = await service.rules(house, house.sql);
  return ok({
    limits: identifierTypes.map((type) => ({
      ...{ type, most: limits[type], usual: service.usualLimits[type] },
    })),
    blocked: blocked.map(({ type, value, at, ...one }) => {
      const clear = may || (type === "user_id" && !looksDirect(value));
      return {
        ...{ ...one, type: type as IdentifierType, at: at.toISOString(), masked: !clear },
        value: clear ? value : masked(type, value),
      };
    }),
  });
});
const setOff = ({ job, nodes }: { job: string | null; nodes: number }) => ({
  job,
  identifiers: nodes,
});
const setLimits = implement(api.setLimits, async (context, asked) => {
  const limits = Object.entries(asked).filter(([, most]) => most !== undefined);
  return ok(setOff(await service.setLimits(context, Object.fromEntries(limits))));
});
const block = implement(api.block, async (context, asked) => {
  if (looksDirect(asked.reason)) return fail("people.reason_names", { fields: ["reason"] });
  const done = await service.block(context, asked);
  return done.ok ? ok({ id: done.value.id, ...setOff(done.value) }) : done;
});
const unblock = implement(api.unblock, async (context, { blocked }) => {
  const done = await service.unblock(context, blocked);
  return done.ok ? ok(setOff(done.value)) : done;
});

const jobs = answer(api.jobs, async ({ house }) =>
  ok({
    jobs: (await service.jobs(house.sql, 100)).map((job) => ({
      ...{ id: job.id, kind: job.kind, by: job.by, links: job.links },
      ...{ askedAt: job.askedAt.toISOString(), endedAt: job.endedAt?.toISOString() ?? null },
      identifiers: { done: job.nodesDone, all: job.nodes },
      people: { done: job.peopleDone, all: job.people },
    })),
  }),
);

export const routes = [
  ...[list, find, show, timeline, tagHistory, tag, mine, correct],
  ...[merge, unmerge, merges, refusals],
  ...[rules, setLimits, block, unblock, jobs],
];
