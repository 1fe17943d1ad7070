// An event counts once: by its client's own id, within its source, whatever it is called there. And it stands at the time
// that its client meant, within bounds.
import { afterAll, beforeAll, expect, test } from "vitest";
import { flag } from "../../src/collect/rules.ts";
import { rejectedOf, sourceOf, stage, stored, type Stage } from "./harness.ts";
import { protocolOf, speak, speakers, type Fact, type Speaker } from "./speaking.ts";

let at: Stage;
beforeAll(async () => {
  at = await stage();
});
afterAll(() => at[Symbol.asyncDispose]());

async function say(speaker: Speaker, key: string, facts: readonly Fact[]) {
  const statuses: number[] = [];
  for (const { path, headers, body } of speak(speaker, key, facts)) {
    const answer = await fetch(`${at.url}${path}`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    statuses.push(answer.status);
  }
  return statuses;
}
const reasonsOf = async (source: Parameters<typeof rejectedOf>[1]) =>
  (await rejectedOf(at, source)).map(({ reason }) => reason).toSorted();
const sameTime = Date.now() - 60_000;
const seen = (id: string | undefined, more: Partial<Fact> = {}): Fact => ({
  ...{ kind: "track", id: id as string, user: "u1", name: "Shelf Seen", at: sameTime },
  ...more,
});

/** CloudEvents and our own API have no event without an id. */
const demand = new Set<Speaker>(["cloudevents", "own"]);
test.each(speakers)(
  "%s: one id is one event within its source, and none is taken and marked",
  async (speaker) => {
    const one = await sourceOf(at, protocolOf(speaker));
    const other = await sourceOf(at, protocolOf(speaker));
    await say(speaker, one.key, [seen("a"), seen("a"), seen("b")]);
    await say(speaker, one.key, [seen("a"), seen("c")]);
    await say(speaker, other.key, [seen("a")]);
    const keyed = await stored(at, one.id);
    expect(keyed).toHaveLength(3);
    expect(keyed.every(({ flags }) => (flags & flag.keyless) === 0)).toBe(true);
    expect(await stored(at, other.id)).toHaveLength(1);
    expect((await stored(at, other.id))[0]!.id).not.toBe(keyed[0]!.id);
    // Nothing tells the second of these from the first: both count, and both say why.
    await say(speaker, other.key, [seen(undefined), seen(undefined)]);
    const rows = await stored(at, other.id);
    if (demand.has(speaker)) expect(rows).toHaveLength(1);
    else {
      expect(rows).toHaveLength(3);
      expect(rows.filter(({ flags }) => flags & flag.keyless)).toHaveLength(2);
      expect(await reasonsOf(other)).toEqual([]);
    }
    // 神策's id is a random number of ten digits: with another person, time or event it is another event.
    if (speaker === "sensors") {
      const third = await sourceOf(at, "sensors");
      await say(speaker, third.key, [
        ...[seen("7"), seen("7", { user: "u2" }), seen("7", { at: sameTime + 1 })],
        ...[seen("7", { name: "Shelf Touched" }), seen("7")],
      ]);
      expect(await stored(at, third.id)).toHaveLength(4);
    }
  },
);

const minute = 60_000;
const day = 24 * 60 * minute;
/** These say when they sent. */
const dated = new Set<Speaker>([
  ...(["segment", "rudderstack", "customerio", "jitsu", "dittofeed", "liuke"] as const),
  ...(["posthog", "snowplow"] as const),
  "sensors",
]);
test.each(speakers)(
  "%s: late is marked, the future and what cannot be is refused",
  async (speaker) => {
    const source = await sourceOf(at, protocolOf(speaker));
    const now = Date.now();
    const times: [string, number, "taken" | "late" | "not_yet" | "too_old"][] = [
      ["now", now, "taken"],
      ["soon", now + day - minute, "taken"],
      ["too soon", now + day + minute, "not_yet"],
      ["recent", now - 30 * day + minute, "taken"],
      ["late", now - 30 * day - minute, "late"],
      ["very late", Date.UTC(1990, 0, 2), "late"],
      ["too old", Date.UTC(1989, 11, 31), "too_old"],
    ];
    await say(
      speaker,
      source.key,
      times.map(([id, time]) => seen(id, { at: time })),
    );
    const rows = await stored(at, source.id);
    const wanted = times.filter(([, , as]) => as === "taken" || as === "late");
    expect(
      rows.map(({ at: when, flags }) => [when.getTime(), (flags & flag.late) !== 0]).toSorted(),
    ).toEqual(wanted.map(([, time, as]) => [time, as === "late"]).toSorted());
    expect(await reasonsOf(source)).toEqual(["not_yet", "too_old"]);
  },
);

test.each(speakers)(
  "%s: a client's wrong clock is set right where it says when it sent",
  async (speaker) => {
    const source = await sourceOf(at, protocolOf(speaker));
    const ago = 10 * minute;
    for (const [id, skew] of [
      ["right", 0],
      ["a second off", 1000],
      ["three days fast", 3 * day],
      ["three years slow", -3 * 365 * day],
    ] as const) {
      const sentAt = Date.now() + skew;
      await say(speaker, source.key, [seen(id, { at: sentAt - ago, sentAt })]);
    }
    const rows = await stored(at, source.id);
    const now = Date.now();
    if (dated.has(speaker)) {
      expect(rows).toHaveLength(4);
      for (const row of rows) expect(Math.abs(row.at.getTime() - (now - ago))).toBeLessThan(30_000);
      expect(rows.filter(({ flags }) => flags & flag.corrected)).toHaveLength(2);
      expect(rows.some(({ flags }) => flags & flag.late)).toBe(false);
    } else {
      // What says nothing of its clock stands as it is: ahead by days it is refused, behind by years it is late.
      expect(rows).toHaveLength(3);
      expect(rows.filter(({ flags }) => flags & flag.late)).toHaveLength(1);
      expect(rows.some(({ flags }) => flags & flag.corrected)).toBe(false);
      expect(await reasonsOf(source)).toEqual(["not_yet"]);
    }
  },
);
