// What each released client does about an answer, a broken line and a long wait, and what of its events is then stored:
// all of them, once, or all but those that the client itself gives up, as its makers meant it.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Protocol } from "../../src/collect/rules.ts";
import { eventId } from "../../src/collect/service.ts";
import { all, asSent, cases, compared, masked, segmentEvent, type Case } from "./cases.ts";
import { runClient, sourceOf, stage, stored, type Stage } from "./harness.ts";
import { mixed } from "./mixed.ts";
import { lineTo, slowMs, troubles, troubleOf, type Name } from "./trouble.ts";

const count = 60;
/** How long clients wait for an answer where they can be told; the slow one takes longer. */
const timeoutMs = slowMs - 1000;

/**
 * "again": sends the same again until it is taken. A number: gives up so many events, those of one request, and nothing
 * else. "once": the request reached us, and is not sent again.
 */
type Does = "again" | "once" | number;
type Behaviour = { case: Case; batch: number; does: Record<Name, Does> };
const caseOf = (client: string): Case => cases.find((one) => one.client === client)!;
const segmentCase = (client: string): Case => ({
  ...{ client, file: "segment-node.mjs", kinds: all, faults: [], want: segmentEvent },
  key: ({ n }) => `messageId|m-${n}`,
});
const tries = { "429": "again", "503": "again", "500": "again" } as const;
const line = { torn: "again", unheard: "again", slow: "again" } as const;
/** Clients without any second try: what met an error is gone, and the next goes out. */
const never = (batch: number): Record<Name, Does> => ({
  ...{ "429": batch, "503": batch, "500": batch, "400": batch, "413": batch, torn: batch },
  ...{ "our word for too large": batch, unheard: "once", slow: "once" },
});
const behaviours: Behaviour[] = [
  {
    case: segmentCase("segment"),
    batch: 10,
    does: { ...tries, "400": 10, "413": 10, "our word for too large": 10, ...line },
  },
  {
    // It takes any status but 400 for something that passes, 413 too: ours for what is too large is 400.
    case: segmentCase("customerio"),
    batch: 10,
    does: { ...tries, "400": 10, "413": "again", "our word for too large": 10, ...line },
  },
  {
    // Its first event goes out alone. A wait that it gave up itself is to it no error of the network.
    case: caseOf("rudderstack"),
    batch: 10,
    does: { ...tries, "400": 1, "413": 1, "our word for too large": 1, ...line, slow: "once" },
  },
  {
    // 413 is a word about its batches: it halves them and sends the same.
    case: caseOf("posthog"),
    batch: 10,
    does: { ...tries, "400": 10, "413": "again", "our word for too large": "again", ...line },
  },
  {
    // It would send the same 413 for ever, and nothing after it; 422 it gives up.
    case: caseOf("snowplow"),
    batch: 10,
    does: { ...tries, "400": 10, "413": "again", "our word for too large": 10, ...line },
  },
  { case: caseOf("jitsu"), batch: 1, does: never(1) },
  { case: caseOf("dittofeed"), batch: 5, does: never(5) },
  { case: caseOf("sensors"), batch: 10, does: never(10) },
  {
    // Whoever sends decides: the library itself has no second try.
    case: caseOf("cloudevents"),
    batch: 1,
    does: { ...tries, "400": 1, "413": 1, "our word for too large": 1, ...line },
  },
];

let at: Stage;
beforeAll(async () => {
  at = await stage();
});
afterAll(() => at[Symbol.asyncDispose]());

test.each(behaviours.map((one) => [one.case.client, one] as const))(
  "%s: what it does about each trouble, and what is stored then",
  async (client, { case: of, does, batch }) => {
    const names = Object.keys(troubles) as Name[];
    await using lines = new AsyncDisposableStack();
    const runs = await Promise.all(
      names.map(async (name) => {
        const source = await sourceOf(at, client as Protocol);
        const way = lines.use(await lineTo(at.url, troubleOf(name, client as Protocol)));
        return { name, source, way };
      }),
    );
    const given = runs.map(({ source, way }) => ({
      ...{ client, url: way.url, key: source.key, count, flushAt: batch, timeoutMs },
      ...of.given,
    }));
    // A client that is one for a whole process gets as many processes.
    if (of.alone) await Promise.all(given.map((one) => runClient(of.file, [one])));
    else await runClient(of.file, given);
    const found: Record<string, object> = {};
    const wanted: Record<string, object> = {};
    for (const { name, source, way } of runs) {
      const want = mixed(of.kinds, count).map((one) => ({
        ...(of.key ? { id: eventId(source.id, of.key(one)) } : {}),
        ...of.want(one),
      }));
      const rows = asSent(await stored(at, source.id), of.key !== undefined);
      const { unsent, missing } = compared(of.masked ? rows.map(masked) : rows, want, count);
      const gone = typeof does[name] === "number" ? does[name] : 0;
      found[name] = { met: way.met, stored: rows.length, missing: missing.length, unsent };
      wanted[name] = { met: 1, stored: count - gone, missing: gone, unsent: [] };
      // Whoever sends again sends the same request again, or its halves.
      const least =
        (client === "cloudevents" ? 41 : Math.ceil(count / batch)) +
        (does[name] === "again" ? 1 : 0);
      expect([name, way.requests >= least], `${name}: ${way.requests} requests`).toEqual([
        name,
        true,
      ]);
    }
    expect(found).toEqual(wanted);
  },
);
