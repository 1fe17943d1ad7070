// Companies in segments: which company is where, and which of its people to look at because of it. A company is looked at
// as soon as it, one of its people or who belongs to it changes, once however much came together.
import { bucketOfText } from "#kernel/crypto.ts";
import type { House } from "#kernel/endpoint.ts";
import { nobody } from "#kernel/ids.ts";
import { emitAll } from "#kernel/outbox.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { setTimers } from "#kernel/timers.ts";
import { companyEntered, companyLeft } from "./events.ts";
import { companiesNow } from "./facts.ts";
import type { Book } from "./model/book.ts";
import { fits } from "./model/evaluate.ts";
import { companyTurn } from "./model/turns.ts";
import { atInstant, type Clock } from "./rules.ts";
import * as store from "./store.ts";
import * as views from "./views.ts";

/** Companies whose people any of these are: they are looked at next, because of what happened to that person. */
export async function touchThrough(
  tx: Tx,
  people: readonly { person: PersonKey; cause: store.Cause | null }[],
): Promise<void> {
  if (people.length === 0) return;
  const causes = new Map(people.map(({ person, cause }) => [person.personId, cause]));
  const rows = await views.companiesOf(tx, [
    ...new Map(people.map(({ person }) => [person.personId, person])).values(),
  ]);
  if (rows.length > 0)
    await store.touchCompanies(
      tx,
      rows.map(({ companyId, personId }) => ({ companyId, cause: causes.get(personId) ?? null })),
    );
}

/** A company is due when time alone may change what a rule says of it, or who belongs to it. Its key is the company. */
export const companyDue = "segments.company";

/**
 * Works out where these companies are. Gives what changed, and everybody who belongs or belonged to them: what people's
 * rules say of those may have changed as well.
 */
export async function lookAtCompanies(
  house: House,
  tx: Tx,
  rules: Book<store.Segment>,
  touched: readonly store.TouchedCompany[],
  now: Clock,
): Promise<{ changes: store.CompanyChange[]; people: (PersonKey & { companyId: string })[] }> {
  const ids = touched.map(({ companyId }) => companyId);
  await store.lockShared(
    tx,
    rules.companies.map(({ segment }) => segment.id),
  );
  const entries = [...rules.companies, ...rules.ofCompanies];
  const asked = entries.map(({ segment }) => segment);
  const { companies, spans } = await companiesNow(tx, ids, entries, now);
  const at = rules.companies.map((entry) => ({ entry, rule: atInstant(entry.segment.rule, now) }));
  const changes: store.CompanyChange[] = [];
  const turns = [];
  for (const { companyId, cause } of touched) {
    const facts = companies.get(companyId);
    if (!facts) continue;
    for (const { entry, rule } of at) {
      const { id: segmentId, version } = entry.segment;
      const be = fits(rule, facts, now.at);
      if (be === facts.segments.has(segmentId)) continue;
      if (be) facts.segments.add(segmentId);
      else facts.segments.delete(segmentId);
      const change = be ? ("entered" as const) : ("left" as const);
      changes.push({ companyId, segmentId, version, change, cause, at: now.at });
    }
    const dueAt = companyTurn(asked, facts, now);
    if (dueAt) turns.push({ kind: companyDue, key: companyId, dueAt });
  }
  await store.applyCompanies(tx, house.newId, changes);
  await setTimers(tx, turns);
  const people = spans.map(({ bucket, personId, companyId }) => ({ bucket, personId, companyId }));
  return { changes, people };
}
/** Tells other domains of companies that came and went, where somebody listens. */
export async function tellOfCompanies(
  house: House,
  tx: Tx,
  wanted: (name: string, segmentId: string) => boolean,
  changes: readonly store.CompanyChange[],
): Promise<void> {
  for (const type of [companyEntered, companyLeft]) {
    const theirs = changes.filter(
      ({ change, segmentId }) =>
        `segments.company_${change}` === type.name && wanted(type.name, segmentId),
    );
    await emitAll(
      house,
      tx,
      type,
      theirs.map(({ companyId, segmentId, version, cause, at }) => ({
        person: { bucket: bucketOfText(companyId), personId: nobody },
        data: { company: companyId, segment: segmentId, version, at: at.toISOString(), cause },
      })),
    );
  }
}
