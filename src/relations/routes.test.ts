// What people do with their own relations, by their tokens: see, give, take back; and where nothing is left then.
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignJWT } from "jose";
import { expect, test } from "vitest";
import { allRoutes, pumps } from "../app.ts";
import { createPersonTokenKey } from "#access/service.ts";
import * as people from "#people/service.ts";
import { exportText } from "#exchange/export.ts";
import { importFile } from "#exchange/import.ts";
import type { OutKind } from "#exchange/rules.ts";
import { shop } from "../../test/shop.ts";

const names = ["ann", "bob", "cem", "dan"] as const;
type Edges = { kind: string; user: string | null }[];

async function circle(others: readonly string[] = []) {
  const here = await shop(allRoutes);
  const { house, clock } = here;
  const made = await here.sql.begin((tx) =>
    createPersonTokenKey(
      {
        ...{ tx, house, at: house.clocks.machine(), newId: house.newId },
        actor: { id: "system:test", permissions: new Set(), scope: { kind: "all" } },
      },
      { source: here.server.id, algorithm: "HS256", publicKey: null },
    ),
  );
  if (!made.ok) throw new Error(made.code);
  const now = Math.floor(house.clocks.machine().getTime() / 1000);
  const as = new Map<string, { authorization: string }>();
  for (const name of [...names, "eve", ...others]) {
    const token = await new SignJWT({ sub: name, aud: "liuke", iat: now, exp: now + 3600 })
      .setProtectedHeader({ alg: "HS256", kid: made.value.id })
      .sign(Buffer.from(made.value.secret!, "base64url"));
    as.set(name, { authorization: `Bearer ${token}` });
  }
  const later = () => (clock.shop = new Date(clock.shop.getTime() + 60_000));
  const { consume, merge, relay, ring, segment, ship, erase } = pumps(house, null);
  const work = async () => {
    for (let busy = 1; busy > 0;)
      busy =
        (await consume()) + (await merge()) + (await relay()) + (await ring()) + (await segment());
  };
  let key = 0;
  const tell = async (user: string, name: string, data: Record<string, unknown> = {}) => {
    const at = later().toISOString();
    const events = [{ key: String(key++), name, user, at, data, traits: {} }];
    const { status } = await here.ask("POST", "/v1/events", {
      headers: here.as.server,
      body: { events },
    });
    expect(status).toBe(200);
    await work();
  };
  const get = async (name: string, path = "") =>
    (await here.ask("GET", `/v1/me/relations${path}`, { headers: as.get(name)! })).body;
  const edges = async (name: string) =>
    ((await get(name))["edges"] as Edges).map(({ kind, user }) => `${kind} ${user}`).toSorted();
  const reach = async (name: string) =>
    ((await get(name, "/friends_of_friends"))["people"] as { user: string }[]).map((p) => p.user);
  const say = async (name: string, act: string, user: string) => {
    later();
    return here.ask("POST", "/v1/me/relations", { headers: as.get(name)!, body: { act, user } });
  };
  /** What somebody agrees to or takes back, with nothing worked out after it. */
  const agree = async (name: string, granted: boolean) => {
    later();
    const headers = as.get(name)!;
    const { body } = await here.ask("GET", "/v1/me/preferences", { headers });
    const choices = [{ purpose: "social", channel: "use", granted }];
    const given = { textVersion: body["textVersion"], choices };
    const answer = await here.ask("POST", "/v1/me/preferences", { headers, body: given });
    expect(answer).toMatchObject({ status: 200, body: { changed: 1 } });
  };
  const out = async (kind: OutKind, format: "csv" | "jsonl") => {
    let text = "";
    for await (const piece of exportText(house, { kind, format, names: true })) text += piece;
    return text;
  };
  const idOf = async (name: string) =>
    (await people.byIdentifier(house, here.sql, "user_id", name, here.server.id))!;
  return Object.assign(here, { tell, get, edges, reach, say, agree, work, ship, erase, idOf, out });
}

test("people see, give and take back their relations; what is taken back is nowhere", async () => {
  await using here = await circle();
  const { tell, get, edges, reach, say, agree, work, ship, idOf } = here;
  for (const name of names) await tell(name, "identify", {});

  // Before anybody agreed there is nothing to see, nothing to say, and whoever is feared can be kept away.
  expect(await get("ann")).toEqual({ agreed: false, counts: [], edges: [] });
  expect(await say("ann", "ask", "bob")).toMatchObject({ body: { code: "relations.not_agreed" } });
  expect((await say("ann", "block", "eve")).status).toBe(200);
  // Nobody without a token of their own is let in, the shop's server and its colleagues neither.
  for (const headers of [{}, here.as.server, here.as.owner])
    expect([401, 403]).toContain((await here.ask("GET", "/v1/me/relations", { headers })).status);

  for (const name of names) await agree(name, true);
  expect((await say("ann", "ask", "bob")).status).toBe(200);
  await work();
  expect(await edges("ann")).toEqual(["friend_asked bob"]);
  expect(await edges("bob")).toEqual(["friend_asking ann"]);
  // Whether there is such a user is not to be heard.
  expect((await say("ann", "ask", "nobody")).body).toEqual((await say("ann", "ask", "bob")).body);
  for (const [one, act, other] of [
    ["bob", "accept", "ann"],
    ["bob", "ask", "cem"],
    ["cem", "accept", "bob"],
    ["cem", "ask", "dan"],
    ["dan", "accept", "cem"],
    ["dan", "follow", "ann"],
  ] as const)
    expect((await say(one, act, other)).status).toBe(200);
  await tell("dan", "Invite Accepted", { inviter_id: "ann" });
  expect(await edges("ann")).toEqual(["followed_by dan", "friend bob", "invited dan"]);
  expect(await reach("ann")).toEqual(["cem"]);
  expect(await reach("bob")).toEqual(["dan"]);

  const rule = { kind: "tag", tag: "inviter", in: ["1+"] };
  const made = await here.ask("POST", "/v1/segments", {
    headers: here.as.owner,
    body: { name: { zh: "邀请过人", en: "Brought somebody" }, rule, purpose: "marketing" },
  });
  expect(made.status).toBe(200);
  await work();
  const inSegment = async () => {
    const path = `/v1/segments/${String(made.body["id"])}`;
    const { body } = await here.ask("GET", path, { headers: here.as.owner });
    return (body["members"] as { personId: string }[]).map(({ personId }) => personId);
  };
  const [ann, dan] = [await idOf("ann"), await idOf("dan")];
  expect(await inSegment()).toEqual([ann.personId]);
  const columns = async () => {
    while ((await ship()) > 0);
    const [row] = await here.columns.read<{ tags: Record<string, string> }>(
      `select tags from person final where person_id = '${ann.personId}'`,
    );
    return row?.tags["inviter"] ?? "";
  };
  expect(await columns()).toBe("1+");
  const exported = async () => here.out("relations", "csv");
  await tell("dan", "User Followed", { other: "bob" });
  await tell("ann", "User Followed", { other: "bob" });
  expect(await exported()).toMatch(/dan,,follow,bob/);
  expect(await exported()).toMatch(/dan,,invite_accepted,ann/);

  // Dan takes it back. From that commit on, before anything else ran, Dan is in nobody's list, near or two steps off.
  await agree("dan", false);
  const withoutDan = async () => {
    expect(await get("dan")).toEqual({ agreed: false, counts: [], edges: [] });
    expect(await edges("ann")).toEqual(["follows bob", "friend bob"]);
    expect(await edges("cem")).toEqual(["friend bob"]);
    expect(await reach("bob")).toEqual([]);
    expect((await get("ann"))["counts"]).toEqual([
      { kind: "friend", count: 1 },
      { kind: "follows", count: 1 },
    ]);
    expect(await exported()).not.toContain("dan");
  };
  await withoutDan();
  expect(await exported()).toMatch(/ann,,follow,bob/);
  await work();
  await withoutDan();
  // Neither in a row of either engine, nor in the tag and the segment that followed from it.
  const left = await here.sql`
    select 1 from relations_edge where ${dan.personId} in (person_id, other_person_id)
    union all select 1 from relations_fact f join people_node n on n.person_id = ${dan.personId}
      and (n.bucket, n.node_id) in ((f.bucket, f.node_id), (f.other_bucket, f.other_node_id))`;
  expect([...left]).toEqual([]);
  expect(await inSegment()).toEqual([]);
  expect(await columns()).toBe("");
  const events = JSON.stringify(await here.columns.read("select * from event"));
  expect(events).not.toMatch(/"(ann|bob|cem|dan|eve)"/);

  // Somebody in the middle takes it back: no way leads through them any more.
  expect(await reach("ann")).toEqual(["cem"]);
  await agree("bob", false);
  expect(await reach("ann")).toEqual([]);
  expect(await edges("ann")).toEqual([]);
  await work();

  // Agreeing again brings back nothing of what was; what is told from then on counts.
  await agree("dan", true);
  await work();
  expect(await get("dan")).toMatchObject({ agreed: true, edges: [] });
  expect(await exported()).not.toContain("dan");
  await tell("dan", "User Followed", { other: "cem" });
  expect(await edges("dan")).toEqual(["follows cem"]);
  expect(await edges("cem")).toEqual(["followed_by dan"]);
  expect(await exported()).toMatch(/dan,,follow,cem/);
  // And a block outlives all of it: Eve, who agrees now, is kept away from Ann.
  await tell("eve", "identify", {});
  await agree("eve", true);
  await say("eve", "follow", "ann");
  await work();
  expect(await edges("ann")).toEqual([]);
});

/** Rows of either engine, of whatever table, that name both of these people. */
async function naming(
  here: Awaited<ReturnType<typeof circle>>,
  both: readonly [string[], string[]],
) {
  const found: string[] = [];
  const look = (table: string, text: string) => {
    if (both.every((ids) => ids.some((id) => text.includes(id)))) found.push(`${table}: ${text}`);
  };
  const tables = await here.sql<{ name: string }[]>`
    select relname as name from pg_class
    where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relispartition
      and has_table_privilege(oid, 'select')`;
  expect(tables.length).toBeGreaterThan(80);
  for (const { name } of tables)
    for (const { text } of await here.sql<{ text: string }[]>`
      select to_jsonb(t)::text as text from ${here.sql(name)} t`)
      look(name, text);
  while ((await here.ship()) > 0);
  const copies = await here.columns.read<{ name: string }>(
    "select name from system.tables where database = currentDatabase() and engine like '%MergeTree%'",
  );
  expect(copies.length).toBeGreaterThan(3);
  for (const { name } of copies)
    for (const row of await here.columns.read<object>(`select * from ${name}`))
      look(`columns ${name}`, JSON.stringify(row));
  return found;
}

test("of an edge that was taken back, by whichever end and in whatever way, nothing is left anywhere", async () => {
  const ways = ["mine", "theirs", "filed", "gone", "erased", "merged", "parted"] as const;
  const all = ways.flatMap((way) => [1, 2, 3, 4].map((n) => `${way}${n}`));
  await using here = await circle(all);
  const { tell, edges, reach, agree, work, idOf, out } = here;
  const owner = { headers: here.as.owner };
  const rule = { kind: "tag", tag: "inviter", in: ["1+"] };
  const made = await here.ask("POST", "/v1/segments", {
    ...owner,
    body: { name: { zh: "邀请过人", en: "Brought somebody" }, rule, purpose: "marketing" },
  });
  const idsOf = async (user: string) => {
    const { bucket, personId } = await idOf(user);
    const nodes = await people.nodesOf(here.sql, { bucket, personId });
    return [personId, ...nodes.map(({ nodeId }) => nodeId)];
  };
  for (const name of all) {
    await tell(name, "identify", {});
    await agree(name, true);
  }
  for (const way of ways) {
    const [one, two, three, four] = [1, 2, 3, 4].map((n) => `${way}${n}`) as [
      ...[string, string, string, string],
    ];
    // One came by Two's invitation and is a friend; behind Two stands Three.
    await tell(one, "Invite Accepted", { inviter_id: two });
    await tell(one, "Relation Told", { kind: "friend", act: "both", other: two });
    await tell(three, "Relation Told", { kind: "friend", act: "both", other: two });
    await tell(one, "User Followed", { other: two });
    await tell(two, "Product Shared", { other: one, sku: "TEA" });
    await tell(one, "Share Opened", { other: two, sku: "TEA" });
    expect(await reach(one)).toEqual([three]);
    const ids: [string[], string[]] = [await idsOf(one), await idsOf(two)];
    expect((await naming(here, ids)).length).toBeGreaterThan(0);
    const merge = async () => {
      const [from, into] = [await idOf(four), await idOf(one)];
      await here.ask("POST", `/v1/members/${into.personId}/merges`, {
        ...owner,
        body: { other: from.personId, reason: "one at the counter" },
      });
      await work();
      expect(await idOf(four)).toEqual(await idOf(one));
    };
    if (way === "mine") await agree(one, false);
    else if (way === "theirs") await agree(two, false);
    else if (way === "filed") {
      // The shop keeps consents in a file of its own, and one end has taken it back there.
      here.clock.shop = new Date(here.clock.shop.getTime() + 60_000);
      const line = {
        ...{ user: one, purpose: "social", channel: "use", granted: false },
        ...{ textVersion: "2026-01", proof: "form:7", at: here.clock.shop.toISOString() },
      };
      const path = join(await mkdtemp(join(tmpdir(), "liuke-relations-")), "consents.jsonl");
      await writeFile(path, JSON.stringify(line));
      const mapping = { quoted: true };
      await importFile(here.house, { path, kind: "consents", mapping, source: here.server });
    } else if (way === "merged") {
      await merge();
      await agree(four, false);
    } else if (way === "parted") {
      // Taken back while they were one: what was told before stays gone when they are two again.
      await merge();
      await agree(four, false);
      await work();
      const { body } = await here.ask(
        "GET",
        `/v1/members/${(await idOf(one)).personId}/merges`,
        owner,
      );
      const [{ id }] = body["merges"] as [{ id: string }];
      const undo = `/v1/members/${(await idOf(one)).personId}/merges/${id}/undo`;
      expect(
        (await here.ask("POST", undo, { ...owner, body: { reason: "two after all" } })).status,
      ).toBe(200);
    } else {
      const { personId } = await idOf(way === "gone" ? one : two);
      expect((await here.ask("DELETE", `/v1/members/${personId}`, owner)).status).toBe(200);
      await here.erase();
    }
    await work();
    expect([way, await naming(here, ids)]).toEqual([way, []]);
    if (way !== "gone") expect(await reach(one).catch(() => [])).toEqual([]);
    if (way !== "erased") {
      expect((await edges(two)).filter((edge) => edge.endsWith(one))).toEqual([]);
      // What followed from it is gone with it: the tag, its segment, and their copies.
      const two2 = await idOf(two);
      const member = (await here.ask("GET", `/v1/members/${two2.personId}`, owner)).body;
      expect([way, (member["tags"] as { tag: string }[]).map(({ tag }) => tag)]).toEqual([way, []]);
      const segment = await here.ask("GET", `/v1/segments/${String(made.body["id"])}`, owner);
      expect([way, segment.body["members"]]).toEqual([way, []]);
      const [copy] = await here.columns.read<{ tags: Record<string, string> }>(
        `select tags from person final where person_id = '${two2.personId}'`,
      );
      expect([way, copy?.tags["inviter"] ?? ""]).toEqual([way, ""]);
    }
    for (const kind of ["relations", "events"] as const)
      for (const text of (await out(kind, "jsonl")).split("\n"))
        expect([way, kind, text.includes(one) && text.includes(two) ? text : ""]).toEqual([
          ...[way, kind, ""],
        ]);
  }
});
