// The write path, once. No domain can forget permission, idempotency, audit or outbox, because no domain writes them.
import { audit } from "./audit.ts";
import { dayOf } from "./clock.ts";
import { crashAt } from "./crash.ts";
import type { Actor, Context, Hot, House, Route } from "./endpoint.ts";
import { inOrder, type Lane } from "./group.ts";
import { invalid } from "./invalid.ts";
import { fail, ok, type Result } from "./result.ts";
import { isPassing, type Tx } from "./sql.ts";

export type Order = {
  actor: Actor;
  key: string;
  dryRun: boolean;
  raw: Record<string, unknown>;
  requestId?: string;
};
export type Refusal =
  `request.${"unauthenticated" | "forbidden" | "invalid" | "busy" | "key_reused" | "answered_once"}`;
export type Answer<C extends string> = Result<unknown, C | Refusal> & {
  headers?: [string, string][];
};
type Command = Extract<Route, { kind: "command" }>;
/** One command on its way: what was asked, by whom, and where its verdict goes. */
type Item = {
  route: Command;
  actor: Actor;
  key: string;
  digest: Buffer;
  dryRun: boolean;
  input: unknown;
  target: Record<string, unknown>;
  endpoint: string;
  requestId: string | null;
  /** Counts up as commands come in: where not all can have something, who came first has it. */
  arrival: number;
};
/** A verdict, or what went wrong with this one command. */
type Outcome = { answer: Answer<string> } | { thrown: unknown };
type Done = { answer: Answer<string>; events: Record<string, unknown>[]; hot: Hot[] };

/** postgres.js rolls back only on a throw; this throw carries an answer out, so that it stays a value. */
class RollBack {
  readonly answers: Answer<string>[];
  constructor(answers: Answer<string>[]) {
    this.answers = answers;
  }
}
/** The hot row does not hold the sum of the group: each command has to ask alone, in order of arrival. */
const alone = Symbol("alone");

/** How many commands of one lane share a transaction at most. PostgreSQL keeps 64 savepoints at hand without a file. */
const groupLimit = 64;
/** How long a group waits for one lock: not long, because all of it waits. Whoever is alone waits the 2 s of the contract. */
const lockTimeout = { group: "250ms", alone: "2s" };

/** May this caller come to this endpoint at all? The rest, whose rows, is the service's through `scope`. */
export function admits(endpoint: Route["endpoint"], actor: Actor): Refusal | null {
  if (endpoint.permission === "public") return null;
  if (!actor.permissions.has(endpoint.permission))
    return actor.id === "anonymous" ? "request.unauthenticated" : "request.forbidden";
  const { kind } = actor.scope;
  if (kind === "all" || kind === "person") return null;
  return endpoint.scopes?.includes(kind) ? null : "request.forbidden";
}

export type Commands = (route: Command, order: Order) => Promise<Answer<string>>;

export function commands(house: House): Commands {
  const lanes = new Map<number, Lane<Item, Outcome>>();
  let arrivals = 0;
  const solo = (item: Item): Promise<Outcome> =>
    transaction(house, [item], true)
      .then((answers) => ({ answer: answers[0]! }))
      .catch((thrown: unknown) =>
        // Nothing was saved, so the same key may try again.
        isPassing(thrown) ? { answer: fail("request.busy") } : { thrown },
      );

  async function group(items: Item[]): Promise<Outcome[]> {
    if (items.length > 1) {
      const whole = await transaction(house, items, false).catch(() => null);
      if (whole) return whole.map((answer) => ({ answer }));
      // Whatever it was, no neighbour pays for it: everybody once more, alone, in order of arrival.
    }
    const outcomes = new Map<Item, Outcome>();
    for (const item of items.toSorted((a, b) => a.arrival - b.arrival))
      outcomes.set(item, await solo(item));
    return items.map((item) => outcomes.get(item)!);
  }

  return async (route, { actor, key, dryRun, raw, requestId }) => {
    const { endpoint } = route;
    const refused = admits(endpoint, actor);
    if (refused) return fail(refused);
    const input = endpoint.input.safeParse(raw);
    if (!input.success) return fail("request.invalid", invalid(input.error, raw));
    const item: Item = {
      route,
      actor,
      key,
      dryRun,
      // Under a key: a body may be as short as an e-mail address, and a plain digest of that can be guessed back.
      digest: house.keys.blind("idempotency.request", JSON.stringify(raw)),
      input: input.data,
      target: targetOf(endpoint.path, raw),
      endpoint: `${endpoint.method} ${endpoint.path}`,
      requestId: requestId ?? null,
      arrival: arrivals++,
    };
    const at = route.lane?.(input.data as never);
    if (!at || dryRun) return verdict(await solo(item));
    let lane = lanes.get(at.bucket);
    if (!lane) {
      lane = inOrder(group, groupLimit);
      lanes.set(at.bucket, lane);
    }
    return verdict(await lane(item, `${actor.id} ${item.endpoint} ${key}`, at.person));
  };
}
const verdict = (outcome: Outcome): Answer<string> => {
  if ("thrown" in outcome) throw outcome.thrown;
  return outcome.answer;
};

/** Ids in the path: what the audit says the command was about. A body may hold personal fields, a path holds none. */
const targetOf = (path: string, raw: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    [...path.matchAll(/:(\w+)/g)].map(([, name]) => [name!, String(raw[name!] ?? "")]),
  );

async function transaction(house: House, items: Item[], single: boolean) {
  const machine = house.clocks.machine();
  const work = async (tx: Tx): Promise<Answer<string>[]> => {
    await tx`select set_config('lock_timeout', ${single ? lockTimeout.alone : lockTimeout.group}, true)`;
    // A twin in flight holds the same unique row: the insert waits for its commit, that long at most.
    const claims = items
      .map(({ key, actor, endpoint, digest }) => ({
        key,
        actor: actor.id,
        endpoint,
        request: digest,
        at: machine,
      }))
      .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const mine = await tx<{ key: string; actor: string; endpoint: string }[]>`
      insert into idempotency ${tx(claims)} on conflict do nothing returning key, actor, endpoint`;
    const claimed = new Set(mine.map(keyOf));
    const answers: Answer<string>[] = [];
    const fresh: { item: Item; done: Done }[] = [];
    for (const item of items) {
      if (!claimed.has(keyOf({ ...item, actor: item.actor.id }))) {
        answers.push(await saved(tx, item));
        continue;
      }
      const done = await attempt(house, tx, item, single);
      fresh.push({ item, done });
      answers.push(done.answer);
    }
    if (fresh.length > 0) await write(house, tx, fresh, machine);
    if (!single) await takeHot(tx, fresh); // last: nothing but the commit is done while the hot rows are held
    if (items.length === 1 && items[0]!.dryRun) throw new RollBack(answers);
    crashAt("command.before_commit");
    return answers;
  };
  const done = house.sql.begin(work).then((answers) => {
    crashAt("command.after_commit");
    return answers;
  });
  return done.catch((thrown: unknown) => {
    if (thrown instanceof RollBack) return thrown.answers;
    throw thrown;
  });
}

const keyOf = (row: { key: string; actor: string; endpoint: string }) =>
  `${row.key}\0${row.actor}\0${row.endpoint}`;

async function saved(tx: Tx, item: Item): Promise<Answer<string>> {
  const [twin] = await tx<{ same: boolean; answer: Answer<string> | null }[]>`
    select request = ${item.digest} as same, answer from idempotency
    where key = ${item.key} and actor = ${item.actor.id} and endpoint = ${item.endpoint}`;
  if (!twin?.same) return fail("request.key_reused");
  return twin.answer ?? fail("request.answered_once");
}

/** Runs the service below a savepoint: a failure leaves none of its writes, yet its answer can be saved. */
async function attempt(house: House, tx: Tx, item: Item, single: boolean): Promise<Done> {
  const now = house.clocks.shop();
  const events: Record<string, unknown>[] = [];
  const hot: Hot[] = [];
  const headers: [string, string][] = [];
  const run = async (step: Tx): Promise<Answer<string>> => {
    const context: Context = {
      tx: step,
      house,
      actor: item.actor,
      now,
      at: house.clocks.machine(),
      today: dayOf(now, house.clocks.timeZone),
      newId: house.newId,
      emit: ({ name, data }, person, happened) => {
        const body = step.json(data.encode(happened) as never);
        events.push({ ...person, id: house.newId(), name, data: body, at: now });
      },
      reserve: (claim) => hot.push(claim),
      header: (name, value) => headers.push([name, value]),
    };
    const result = await item.route.run(context, item.input as never);
    if (!result.ok) throw new RollBack([result]);
    if (single)
      for (const claim of hot.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0)))
        if (!(await claim.take(step, claim.amount))) throw new RollBack([fail(claim.code)]);
    return ok(item.route.endpoint.output.encode(result.value));
  };
  const answer = await tx.savepoint(run).catch((thrown: unknown) => {
    if (thrown instanceof RollBack) return thrown.answers[0]!;
    throw thrown;
  });
  if (!answer.ok) return { answer, events: [], hot: [] };
  return { answer: headers.length > 0 ? { ...answer, headers } : answer, events, hot };
}

/** Each hot row once, with the sum, in one order for everybody. */
async function takeHot(tx: Tx, fresh: { done: Done }[]): Promise<void> {
  const sums = new Map<string, { claim: Hot; total: bigint }>();
  for (const { done } of fresh)
    for (const claim of done.hot) {
      const had = sums.get(claim.key);
      sums.set(claim.key, { claim, total: (had?.total ?? 0n) + claim.amount });
    }
  for (const [, { claim, total }] of [...sums].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    if (!(await claim.take(tx, total))) throw alone;
}

/** Saved answers, audit lines and outbox events of a group: one statement each. */
async function write(
  house: House,
  tx: Tx,
  fresh: { item: Item; done: Done }[],
  at: Date,
): Promise<void> {
  const rows = fresh.map(({ item, done: { answer } }) => ({
    key: item.key,
    actor: item.actor.id,
    endpoint: item.endpoint,
    // A secret is shown once: what is saved is only that it was.
    answer: item.route.endpoint.secret && answer.ok ? null : JSON.stringify(plain(answer)),
  }));
  await tx`
    update idempotency i set answer = n.answer::jsonb
    from unnest(${rows.map((r) => r.key)}::text[], ${rows.map((r) => r.actor)}::text[],
      ${rows.map((r) => r.endpoint)}::text[], ${rows.map((r) => r.answer)}::text[])
      as n(key, actor, endpoint, answer)
    where i.key = n.key and i.actor = n.actor and i.endpoint = n.endpoint`;
  await audit(
    house,
    tx,
    fresh.map(({ item, done: { answer } }) => ({
      at,
      actor: item.actor.id,
      endpoint: item.endpoint,
      target: item.target,
      outcome: answer.ok ? "ok" : answer.code,
      requestId: item.requestId,
    })),
  );
  const events = fresh.flatMap(({ done }) => done.events);
  if (events.length > 0) await tx`insert into outbox ${tx(events)}`;
}
const plain = (answer: Answer<string>) => {
  const { headers: _, ...kept } = answer;
  return kept;
};

/** Keys live 7 days of the machine's clock; after that the same key is a new request. Says how many went. */
export async function forgetRequests(house: House, limit = 10_000): Promise<number> {
  const before = new Date(house.clocks.machine().getTime() - 7 * 86_400_000);
  const gone = await house.sql`
    delete from idempotency where (key, actor, endpoint) in (
      select key, actor, endpoint from idempotency where at < ${before} order by at limit ${limit})`;
  return gone.count;
}
