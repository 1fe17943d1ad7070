// What a caller can ask of what we know. Each function works in the transaction it is given.
import { daysBetween } from "#kernel/clock.ts";
import type { House } from "#kernel/endpoint.ts";
import { emitAll } from "#kernel/outbox.ts";
import type { PersonKey, Tx } from "#kernel/sql.ts";
import { dropTimer, setTimers } from "#kernel/timers.ts";
import * as people from "#people/service.ts";
import { staged } from "./events.ts";
import { ownWeight, stageConfidence } from "./model/confidence.ts";
import { thresholdsFor } from "./model/lifecycle.ts";
import { predictionOf, type Buyer, type Learned, type Prediction } from "./rules.ts";
import * as store from "./store.ts";

/** The timer of whatever changes a stage by time alone: one a person. */
export const stageTimer = "predict.stage";
/** Figures of a person that a model may show, under their attribute's name. */
export type Shown = "order_chance_90d" | "expected_orders_90d" | "p_alive";
export const shownBy = ({ buying }: Learned): Shown[] =>
  buying.model === "none"
    ? []
    : buying.model === "nbd"
      ? ["order_chance_90d", "expected_orders_90d"]
      : ["order_chance_90d", "expected_orders_90d", "p_alive"];

type Had = {
  tag: string;
  value: string;
  confidence: number;
  reason: Record<string, unknown>;
};
/** One person to look at: what they bought before `at`, what was said last, and the event that is the reason to look. */
export type Look = {
  person: PersonKey;
  buyer: Buyer;
  had: readonly Had[];
  at: Date;
  cause?: string;
};

/**
 * Says of each person what the fit says: tags lifecycle, rfm and rfm_segment, the figures of the next 90 days, and
 * the timer of the next change by time alone. Returns how many stages changed. `tell`: also tells other domains of
 * each change. `outdated`: figures that this fit no longer has, taken away from everybody looked at.
 */
export async function say(
  house: House,
  tx: Tx,
  { id, learned }: store.Fit,
  looks: readonly Look[],
  { tell, outdated = [] }: { tell: boolean; outdated?: readonly Shown[] },
): Promise<number> {
  const now = house.clocks.shop();
  const seen = looks.map((look) => ({
    ...look,
    said: predictionOf(look.buyer, learned, look.at, house.clocks.timeZone),
  }));
  // Sent together, done in this order, which is the same for everybody who writes.
  const [, , changed] = await Promise.all([
    store.savePeople(tx, id, seen.map(figuresOf)),
    people.setAttributes(
      tx,
      seen.flatMap((one) => attributesOf(one, learned, outdated)),
      now,
    ),
    people.setTags(
      tx,
      house.newId,
      seen.flatMap((one) => tagsOf(one, learned).filter((tag) => isNews(tag, one.had))),
    ),
    setTimers(
      tx,
      seen.flatMap(({ person, said }) =>
        said.stage.nextChangeAt
          ? [{ ...person, kind: stageTimer, key: "stage", dueAt: said.stage.nextChangeAt }]
          : [],
      ),
    ),
  ]);
  if (tell) await tellOf(house, tx, looks, changed);
  return changed.filter(({ tag }) => tag === "lifecycle").length;
}

const stageTags = ["lifecycle", "rfm", "rfm_segment"];
const figures: (Shown | "spend_score")[] = [
  "order_chance_90d",
  "expected_orders_90d",
  "p_alive",
  "spend_score",
];
/** Takes away whatever was said of these people, who bought nothing, and the timer of it. */
export async function unsay(house: House, tx: Tx, those: readonly PersonKey[]): Promise<void> {
  if (those.length === 0) return;
  const at = house.clocks.shop();
  const held = await people.tagsHeld(tx, those, stageTags, new Date(0));
  await people.setTags(
    tx,
    house.newId,
    held.flatMap(({ bucket, personId, tag, kind, source }) =>
      source === "predict"
        ? [{ person: { bucket, personId }, tag, value: null, kind, source, reason: {}, at }]
        : [],
    ),
  );
  await people.dropAttributes(
    tx,
    those.flatMap((person) => figures.map((name) => ({ person, name, source: "predict" }))),
    at,
  );
  for (const person of those) {
    await store.erasePerson(tx, person);
    await dropTimer(tx, person, stageTimer, "stage");
  }
}

/** One event a person, with every tag of theirs that changed; stages first, so that they are the reason given. */
async function tellOf(
  house: House,
  tx: Tx,
  looks: readonly Look[],
  changed: readonly people.TagChanged[],
): Promise<void> {
  const of = Map.groupBy(changed, ({ personId }) => personId);
  await emitAll(
    house,
    tx,
    staged,
    looks.flatMap(({ person, cause }) => {
      const changes = of.get(person.personId);
      if (!changes) return [];
      const sorted = changes
        .map(({ tag, before, after, logId }) => ({ tag, before, after, log: logId }))
        .toSorted((a, b) => (a.tag < b.tag ? -1 : 1));
      return [{ person, data: { changes: sorted, cause: cause ?? null } }];
    }),
  );
}

type Seen = Look & { said: Prediction };

const figuresOf = ({ person, buyer, said, at }: Seen): store.Figures => ({
  ...person,
  r: said.rfm?.scores.r ?? null,
  f: said.rfm?.scores.f ?? null,
  m: said.rfm?.scores.m ?? null,
  orders: buyer.orders,
  amountMinor: buyer.amountMinor,
  chance: said.outlook ? tidy(said.outlook.orderChance) : null,
  expected: said.outlook ? tidy(said.outlook.expectedOrders) : null,
  at,
});

/**
 * Is there anything to write? A tag's reason stands as of the instant it was given; another day of silence that changes
 * neither the value nor how sure it is, nor what they bought, is no news.
 */
function isNews(tag: people.TagChange, had: readonly Had[]): boolean {
  const before = had.find((one) => one.tag === tag.tag);
  if (!before || before.value !== tag.value) return true;
  if (Math.abs(before.confidence - (tag.confidence ?? 1)) > 1e-6) return true;
  const reason = tag.reason as Record<string, unknown>;
  return ["purchaseDays", "orders", "amountMinor"].some(
    (name) => reason[name] !== before.reason[name],
  );
}

/** Six places: what lies behind them is the noise of the arithmetic. */
const tidy = (figure: number): number => Math.round(figure * 1e6) / 1e6;
const sure = (figure: number): number => Math.round(figure * 100) / 100;

function attributesOf(
  { person, buyer, said: { outlook, rfm }, at }: Seen,
  { asOf, buying }: Learned,
  outdated: readonly Shown[],
): people.AttributeChange[] {
  const set = (name: Shown | "spend_score", value: number | null, confidence: number) => ({
    person,
    name,
    value,
    source: "predict",
    at,
    confidence,
  });
  const sums = [
    ...outdated.map((name) => set(name, null, 0)),
    ...(rfm ? [set("spend_score", rfm.scores.m, 1)] : []),
  ];
  if (!outlook || buying.model === "none") return sums;
  const { alpha } = buying.model === "nbd" ? buying.nbd : buying.bgnbd;
  const weight = sure(ownWeight(alpha, Math.max(0, daysBetween(buyer.days[0]!, asOf))));
  return [
    ...sums,
    set("order_chance_90d", tidy(outlook.orderChance), weight),
    set("expected_orders_90d", tidy(outlook.expectedOrders), weight),
    ...(outlook.model === "bgnbd" ? [set("p_alive", tidy(outlook.alive), weight)] : []),
  ];
}

function tagsOf(
  { person, buyer, said: { stage, rfm }, at, cause }: Seen,
  { asOf, stages }: Learned,
): people.TagChange[] {
  const common = { person, kind: "statistic" as const, source: "predict", cause, at };
  const tags: people.TagChange[] = [
    {
      ...common,
      tag: "lifecycle",
      value: stage.stage,
      reason: { ...stage.why, sinceDay: stage.sinceDay, learnedOn: asOf },
      confidence: sure(stageConfidence(stage, thresholdsFor(stages, buyer.category))),
    },
  ];
  if (!rfm) return tags;
  const { r, f, m } = rfm.scores;
  const { recencyDays, orders, amount: amountMinor } = rfm.bought;
  tags.push(
    {
      ...common,
      tag: "rfm",
      value: `${r}-${f}-${m}`,
      reason: { recencyDays, orders, amountMinor, learnedOn: asOf },
    },
    {
      ...common,
      tag: "rfm_segment",
      value: rfm.segment,
      reason: { r, f, m, shopify: rfm.shopify },
    },
  );
  return tags;
}

/** Everything predict holds of a person; the tags and figures go with people's own. */
export const erase = store.erasePerson;

/** What is foreseen of somebody is worked out: it waits aside. */
export const movers = people.moverOf({ parked: ["predict_person"] });
