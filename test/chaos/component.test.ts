// More than ten thousand links hang together, and a rule changes: the job that works them out anew is killed at its steps.
import { afterAll, beforeAll, beforeEach, expect, onTestFailed, test, vi } from "vitest";
import { accept, sourceNamed } from "../../src/collect/service.ts";
import type { Context } from "../../src/kernel/endpoint.ts";
import * as people from "../../src/people/service.ts";
import type { Opened } from "../../src/program.ts";
import { temporaryHome } from "./program.ts";
import { broken, inHome, settings } from "./truth.ts";

vi.setConfig({ testTimeout: 300_000 }); // about a minute on a machine of one's own

let temporary: Awaited<ReturnType<typeof temporaryHome>>;
beforeAll(async () => {
  temporary = await temporaryHome();
});
afterAll(() => temporary[Symbol.asyncDispose]());
beforeEach(() => onTestFailed(() => console.error(temporary.said())));

const visitors = 10_050;
const [many, few] = [250, 100];
const noon = Date.UTC(2026, 1, 1);
const limit = ({ house }: Opened, most: number) =>
  house.sql.begin((tx) =>
    people.setLimits(
      { tx, house, actor: { id: "operator:test" }, at: house.clocks.machine() } as Context,
      { anonymous_id: most },
    ),
  );
const settled = async ({ pumps }: Opened) => {
  while ((await pumps.consume()) + (await pumps.merge()) > 0);
};
/** What somebody told who is known by that, and how many identifiers are theirs. */
const told = async (
  { house, house: { sql } }: Opened,
  type: "user_id" | "anonymous_id",
  value: string,
) => {
  const [source] = await sql<{ id: string }[]>`select id from collect_source where name = 'shop'`;
  const person = (await people.byIdentifier(house, sql, type, value, source!.id))!;
  const [row] = await sql<{ person: string; city: string; nodes: number }[]>`
    select f.person_id as person, f.attributes->'city'->>'v' as city, (
      select count(*)::int from people_node n
      where n.person_bucket = f.bucket and n.person_id = f.person_id) as nodes
    from people_profile f where f.bucket = ${person.bucket} and f.person_id = ${person.personId}`;
  return row!;
};

test("killed at every kind of its steps, the job goes on from where it was, and its progress can be seen", async () => {
  const asked = await inHome(temporary.home, async (opened) => {
    const { house } = opened;
    const { id } = await sourceNamed(house, house.sql, "shop", "server");
    await limit(opened, many);
    const events = Array.from({ length: visitors }, (_, i) => ({
      ...{ key: `k${i}`, name: "identify", at: new Date(noon + i * 1000) },
      sender: { type: "anonymous_id" as const, value: `a${i}` },
      links: [{ type: "user_id" as const, value: "u1" }],
      data: { $traits: { city: `city ${i}` } },
    }));
    for (let i = 0; i < visitors; i += 1000)
      await house.sql.begin((tx) =>
        accept(house, tx, { id, kind: "server" }, events.slice(i, i + 1000)),
      );
    await settled(opened);
    expect(await told(opened, "user_id", "u1")).toMatchObject({
      ...{ nodes: many + 1, city: `city ${many - 1}` },
    });
    const job = await limit(opened, few);
    expect(job).toMatchObject({ nodes: 1 });
    return job.job!;
  });

  const seen = [];
  // In the step that says who is who; in the third of those that tell anew of people; and in the second after that.
  for (const point of ["people.rework_step:1", "people.rework_step:4", "people.rework_step:2"]) {
    const program = temporary.run(["start"], { env: { ...settings, LIUKE_CRASH_AT: point } });
    expect(await program.ended, program.said()).toMatchObject({ signal: "SIGKILL" });
    seen.push(
      await inHome(temporary.home, async ({ house }) => {
        const job = (await people.jobs(house.sql, 100)).find(({ id }) => id === asked)!;
        const { links, nodesDone, people: all, peopleDone, endedAt } = job;
        return { links, nodesDone, all, peopleDone, endedAt };
      }),
    );
  }
  const all = many - few + 1;
  expect(seen).toEqual([
    { links: 0, nodesDone: 0, all: 0, peopleDone: 0, endedAt: null },
    { links: visitors, nodesDone: 1, all, peopleDone: 100, endedAt: null },
    { links: visitors, nodesDone: 1, all, peopleDone: 150, endedAt: null },
  ]);

  await inHome(temporary.home, async (opened) => {
    await settled(opened);
    const job = (await people.jobs(opened.house.sql, 100)).find(({ id }) => id === asked)!;
    expect(job).toMatchObject({ people: all, peopleDone: all, nodesDone: 1 });
    expect(job.endedAt).not.toBeNull();
    // The earliest stay; each of the others is somebody again, and has what they told.
    expect(await told(opened, "user_id", "u1")).toMatchObject({
      ...{ nodes: few + 1, city: `city ${few - 1}` },
    });
    for (const i of [few, 150, many - 1, many])
      expect(await told(opened, "anonymous_id", `a${i}`)).toMatchObject({
        nodes: 1,
        city: `city ${i}`,
      });
    const [people_] = await opened.house.sql<
      { n: number }[]
    >`select count(*)::int as n from people_person`;
    expect(people_!.n).toBe(visitors - few + 1);
    expect(await broken(opened)).toEqual([]);
  });
});
