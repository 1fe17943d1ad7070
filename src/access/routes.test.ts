import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { origin, tokens, web, type Ask } from "../../test/authz.ts";
import { world, type World } from "../../test/database.ts";
import { routes } from "./routes.ts";
import { ownerLink } from "./service.ts";

const password = "a long enough sentence";
const tokenOf = (link: unknown): string => String(link).split("#")[1]!;
type Answered = Awaited<ReturnType<Ask>>;
/** The cookie that an answer sets, as a browser would send it back. */
const cookieFrom = ({ headers }: Answered, name = "liuke_session"): string => {
  const set = headers.getSetCookie().find((line) => line.startsWith(`${name}=`)) ?? "";
  return set.split(";")[0]!;
};

/** A shop with its owner, Ann, who is signed in. */
async function withOwner(shop: World) {
  const ask = web(shop.house, routes);
  const link = await ownerLink(shop.house);
  const begun = await ask("POST", "/v1/setup/exchange", { body: { token: tokenOf(link) } });
  const cookie = cookieFrom(begun, "liuke_setup");
  const made = await ask("POST", "/v1/setup/complete", {
    body: { name: "Ann", email: "Ann@example.com", password },
    headers: { cookie },
  });
  expect(made.status).toBe(200);
  const as = (cookie: string) => (method: string, path: string, body?: unknown) =>
    ask(method, path, { body, headers: { cookie } });
  const signIn = (email: string, secret: string, more: { remote?: string; cookie?: string } = {}) =>
    ask("POST", "/v1/session", {
      body: { email, password: secret },
      ...(more.remote ? { remote: more.remote } : {}),
      headers: more.cookie ? { cookie: more.cookie } : {},
    });
  /** Invites somebody and accepts as them; gives their id and cookie. */
  const join = async (email: string, role: string, merchants: string[] = []) => {
    const invited = await as(cookieFrom(made))("POST", "/v1/invitations", {
      email,
      role,
      merchants,
    });
    const token = tokenOf(invited.body["link"]);
    const joined = await ask("POST", "/v1/invitations/accept", {
      body: { token, name: email.split("@")[0], password },
    });
    expect(joined.status).toBe(200);
    return { id: String(joined.body["id"]), cookie: cookieFrom(joined) };
  };
  return { ask, as, signIn, join, id: String(made.body["id"]), ann: as(cookieFrom(made)), made };
}

test("the first owner comes by the terminal's link, which works once, for 15 minutes, until the next start", async () => {
  await using shop = await world();
  const ask = web(shop.house, routes);
  const exchange = (link: unknown, headers = {}) =>
    ask("POST", "/v1/setup/exchange", { body: { token: tokenOf(link) }, headers });
  const first = await ownerLink(shop.house);
  expect(first).toMatch(/^http:\/\/localhost:8420\/setup#[\w-]{43}$/);
  const second = await ownerLink(shop.house);
  expect((await exchange(first)).body["code"]).toBe("access.link_dead");

  const foreign = await exchange(second, { origin: "https://evil.example" });
  expect(foreign.body["code"]).toBe("request.cross_site");
  const begun = await exchange(second);
  expect(begun.status).toBe(200);
  expect(begun.headers.get("set-cookie")).toMatch(/^liuke_setup=.*HttpOnly; SameSite=Strict$/);
  expect((await exchange(second)).body["code"]).toBe("access.link_dead");

  const body = { name: "Ann", email: "ann@example.com", password };
  const complete = (cookie: string) =>
    ask("POST", "/v1/setup/complete", { body, headers: { cookie } });
  expect((await complete("")).body["code"]).toBe("access.link_dead");
  expect((await complete(`liuke_setup=${tokenOf(second)}`)).body["code"]).toBe("access.link_dead");
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 15 * 60_000);
  expect((await complete(cookieFrom(begun, "liuke_setup"))).body["code"]).toBe("access.link_dead");

  const third = await ownerLink(shop.house);
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 15 * 60_000);
  expect((await exchange(third)).body["code"]).toBe("access.link_dead");
  const again = await exchange(await ownerLink(shop.house));
  const cookie = cookieFrom(again, "liuke_setup");
  const [one, two] = await Promise.all([complete(cookie), complete(cookie)]);
  expect([one.status, two.status].toSorted()).toEqual([200, 410]);
  expect(await ownerLink(shop.house)).toBe(null);
  expect(await shop.sql`select from access_link`).toHaveLength(0);
});

test("an owner who lost access comes back by a forced link, under the same name on the list", async () => {
  await using shop = await world();
  const { ask, ann } = await withOwner(shop);
  const link = await ownerLink(shop.house, { force: true });
  const begun = await ask("POST", "/v1/setup/exchange", { body: { token: tokenOf(link) } });
  const body = { name: "Ann Lee", email: "ANN@example.com", password: "another long sentence" };
  const headers = { cookie: cookieFrom(begun, "liuke_setup") };
  expect((await ask("POST", "/v1/setup/complete", { body, headers })).status).toBe(200);
  expect((await ann("GET", "/v1/session")).status).toBe(401); // sessions before it are over
  const again = await ask("POST", "/v1/session", {
    body: { email: "ann@example.com", password: "another long sentence" },
  });
  expect(again.body).toMatchObject({ name: "Ann Lee", role: "owner" });
  expect(await shop.sql`select from access_operator`).toHaveLength(1);
});

test("signing in gives a new session each time, and takes the one that was shown", async () => {
  await using shop = await world();
  const { ask, as, signIn } = await withOwner(shop);
  // Fixation: somebody planted a session of their own choice.
  const planted = await signIn("ann@example.com", password, { cookie: "liuke_session=planted" });
  expect(planted.headers.get("set-cookie")).toMatch(
    /^liuke_session=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/,
  );
  expect((await as("liuke_session=planted")("GET", "/v1/session")).status).toBe(401);
  const first = cookieFrom(planted);
  const second = cookieFrom(await signIn(" ANN@example.com", password, { cookie: first }));
  expect(second).not.toBe(first);
  expect((await as(first)("GET", "/v1/session")).status).toBe(401);
  const me = await as(second)("GET", "/v1/session");
  expect(me.body).toMatchObject({ name: "Ann", email: "Ann@example.com", scope: { kind: "all" } });

  const out = await as(second)("DELETE", "/v1/session");
  expect(out.headers.get("set-cookie")).toMatch(/^liuke_session=; Path=\/; Max-Age=0/);
  expect((await as(second)("GET", "/v1/session")).status).toBe(401);
  const kept = await shop.sql`select hash from access_session`;
  expect(JSON.stringify(kept)).not.toContain(second.split("=")[1]);
  expect((await ask("GET", "/v1/session")).status).toBe(401);
});

test("over TLS only a cookie bound to the host counts", async () => {
  const settings = { publicUrl: "https://localhost:8420", secureCookies: true };
  await using shop = await world({ settings });
  const ask = web(shop.house, routes);
  const headers = { origin: settings.publicUrl };
  const token = tokenOf(await ownerLink(shop.house));
  const begun = await ask("POST", "/v1/setup/exchange", { body: { token }, headers });
  const made = await ask("POST", "/v1/setup/complete", {
    body: { name: "Ann", email: "ann@example.com", password },
    headers: { ...headers, cookie: cookieFrom(begun, "__Host-liuke-setup") },
  });
  const set = made.headers.getSetCookie().find((line) => line.startsWith("__Host-liuke="))!;
  expect(set).toMatch(/; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure$/);
  const value = set.split(";")[0]!.split("=")[1]!;
  const me = (cookie: string) => ask("GET", "/v1/session", { headers: { cookie } });
  expect((await me(`__Host-liuke=${value}`)).status).toBe(200);
  expect((await me(`liuke_session=${value}`)).status).toBe(401);
});

test("a session ends after 12 hours without use, and after 7 days whatever happens", async () => {
  await using shop = await world();
  const { ann, signIn, as } = await withOwner(shop);
  const hour = 3_600_000;
  const later = (ms: number) => {
    shop.clock.machine = new Date(shop.clock.machine.getTime() + ms);
  };
  later(12 * hour - 1);
  expect((await ann("GET", "/v1/session")).status).toBe(200);
  later(12 * hour - 1); // it was used just now, so it goes on
  expect((await ann("GET", "/v1/session")).status).toBe(200);
  later(12 * hour);
  expect((await ann("GET", "/v1/session")).status).toBe(401);

  const fresh = as(cookieFrom(await signIn("ann@example.com", password)));
  for (let i = 0; i < 15; i++) {
    expect((await fresh("GET", "/v1/session")).status).toBe(i < 14 ? 200 : 401);
    later(12 * hour - (i === 13 ? 0 : 1));
    if (i === 13) later(14);
  }
});

/** User and system time of the whole process since then, in microseconds. */
const spent = (from: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(from);
  return user + system;
};

test("nobody learns from signing in whether an address has an account", async () => {
  await using shop = await world();
  const { signIn } = await withOwner(shop);
  const bare = ({ status, body, headers }: Answered) => ({
    status,
    body,
    cookies: headers.getSetCookie(),
    names: [...headers.keys()].filter((name) => name !== "x-request-id"),
  });
  const known = await signIn("ann@example.com", "wrong password", { remote: "192.0.2.1" });
  const unknown = await signIn("bob@example.com", "wrong password", { remote: "192.0.2.2" });
  expect(known).toMatchObject({ status: 401, body: { code: "access.wrong_sign_in" } });
  expect(bare(unknown)).toEqual(bare(known));
  // What each costs of the processor, turn by turn, the least of each: other programs share the cores.
  const least = [Infinity, Infinity];
  for (let i = 0; i < 18; i++) {
    const email = i % 2 === 0 ? "ann@example.com" : "bob@example.com";
    const from = process.cpuUsage();
    await signIn(email, "wrong password", { remote: `192.0.2.${3 + (i % 2)}` });
    least[i % 2] = Math.min(least[i % 2]!, spent(from));
  }
  const [there, away] = least as [number, number];
  expect(away).toBeGreaterThan(there / 2);
  expect(away).toBeLessThan(there * 2);
  // They are held at the same try, too.
  const held = async (email: string, remote: string) => {
    for (let i = 1; ; i++) if ((await signIn(email, "wrong", { remote })).status === 429) return i;
  };
  expect(await held("ann@example.com", "192.0.2.5")).toBe(11);
  expect(await held("bob@example.com", "192.0.2.6")).toBe(11);
});

test("whoever guesses is held by address and account, and locks nobody else out", async () => {
  await using shop = await world();
  const { signIn } = await withOwner(shop);
  const home = "203.0.113.7";
  const wrong = (remote: string, email = "ann@example.com") => signIn(email, "wrong", { remote });
  for (let i = 0; i < 10; i++) expect((await wrong("192.0.2.1")).status).toBe(401);
  const held = await wrong("192.0.2.1");
  expect(held).toMatchObject({ status: 429, body: { code: "request.too_many" } });
  expect(held.headers.get("retry-after")).toBe("900");
  // Even the right password is not looked at; another way of writing the address does not help.
  expect((await signIn("ANN@example.com ", password, { remote: "192.0.2.1" })).status).toBe(429);
  expect((await signIn("ann@example.com", password, { remote: home })).status).toBe(200);
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 15 * 60_000);
  expect((await signIn("ann@example.com", password, { remote: "192.0.2.1" })).status).toBe(200);

  // From everywhere at once: the account is held, but not for where its owner has been signed in.
  const at = shop.clock.machine;
  const key = shop.house.keys.blind(
    "access.try",
    `account|${shop.house.keys.blind("access_operator.email", "ann@example.com").toString("hex")}`,
  );
  const row = { key, tries: 100, until: new Date(at.getTime() + 3_600_000) };
  await shop.sql`
    insert into access_try ${shop.sql(row)}
    on conflict (key) do update set tries = excluded.tries, until = excluded.until`;
  expect((await wrong("198.51.100.9")).status).toBe(429);
  expect((await signIn("ann@example.com", password, { remote: home })).status).toBe(200);
});

test("one address that tries many accounts is held as well", async () => {
  await using shop = await world();
  const { signIn } = await withOwner(shop);
  const from = (i: number) => `2001:db8:0:1::${i.toString(16)}`; // one household, many addresses
  const until = new Date(shop.clock.machine.getTime() + 60_000);
  const key = shop.house.keys.blind("access.try", "remote|2001:db8:0:1");
  await shop.sql`insert into access_try values (${key}, 49, ${until})`;
  const statuses = [];
  for (let i = 1; i <= 2; i++)
    statuses.push((await signIn(`u${i}@example.com`, "wrong", { remote: from(i) })).status);
  expect(statuses).toEqual([401, 429]);
});

test("a flood of sign-ins is told to come back, and the server goes on", async () => {
  await using shop = await world();
  const { ask, signIn } = await withOwner(shop);
  const flood = Array.from({ length: 60 }, (_, i) =>
    signIn(`u${i}@example.com`, "wrong password", { remote: `198.51.100.${i}` }),
  );
  const alive = await ask("GET", "/healthz");
  expect(alive.status).toBe(200);
  const answers = await Promise.all(flood);
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]!.headers.get("retry-after")).toBe("2");
  expect(answers.filter(({ status }) => status === 401).length).toBe(60 - refused.length);
  expect((await signIn("ann@example.com", password)).status).toBe(200);
});

test("another site can do nothing with a session: by Origin, by type, by what the browser says", async () => {
  await using shop = await world();
  const { ask, made, ann } = await withOwner(shop);
  const cookie = cookieFrom(made);
  const invitation = { email: "bob@example.com", role: "owner" };
  const post = (headers: Record<string, string>) =>
    ask("POST", "/v1/invitations", { body: invitation, headers: { cookie, ...headers } });
  const refused: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "http://localhost:3000" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { "content-type": "text/plain" },
    { "content-type": "application/x-www-form-urlencoded" },
    { "content-type": "multipart/form-data; boundary=x" },
  ];
  for (const headers of refused)
    expect(await post(headers)).toMatchObject({
      status: 403,
      body: { code: "request.cross_site" },
    });
  const bare = await ask("DELETE", "/v1/session", { headers: { cookie, origin: "" } });
  expect(bare.status).toBe(403);
  // A session cannot be planted either: signing in from another page, or by a form whose fields stand in the address.
  const from = await ask("POST", "/v1/session", {
    body: { email: "ann@example.com", password },
    headers: { origin: "https://evil.example" },
  });
  expect(from.body["code"]).toBe("request.cross_site");
  const query = new URLSearchParams({ email: "ann@example.com", password });
  const form = { origin, "content-type": "text/plain" };
  const planted = await ask("POST", `/v1/session?${query}`, { headers: form });
  expect(planted.body["code"]).toBe("request.cross_site");

  expect((await ann("GET", "/v1/invitations")).body).toEqual({ invitations: [] });
  expect((await post({ "sec-fetch-site": "same-origin" })).status).toBe(200);
});

test("a new password ends every session and every open link", async () => {
  await using shop = await world();
  const { ask, ann, as, id, signIn } = await withOwner(shop);
  const other = as(cookieFrom(await signIn("ann@example.com", password)));
  const link = await ann("POST", `/v1/operators/${id}/reset-link`);
  const change = (current: string, next: string) =>
    ann("POST", "/v1/session/password", { current, next });
  expect((await change("wrong", "a quite new sentence")).body["code"]).toBe(
    "access.wrong_password",
  );
  expect((await change(password, "Ann@Example.com")).body["code"]).toBe("access.password_is_email");
  expect((await change(password, "elevenchars")).body).toMatchObject({ fields: ["next"] });
  expect((await change(password, "x".repeat(201))).body).toMatchObject({ fields: ["next"] });
  const changed = await change(password, "a quite new sentence");
  expect(changed.status).toBe(200);
  expect((await ann("GET", "/v1/session")).status).toBe(401);
  expect((await other("GET", "/v1/session")).status).toBe(401);
  expect((await as(cookieFrom(changed))("GET", "/v1/session")).status).toBe(200);
  const used = await ask("POST", "/v1/password-resets/complete", {
    body: { token: tokenOf(link.body["link"]), password: "yet another sentence" },
  });
  expect(used.body["code"]).toBe("access.link_dead");
  expect((await signIn("ann@example.com", password)).status).toBe(401);
});

test("a reset link works once, for an hour, and signs everybody out", async () => {
  await using shop = await world();
  const { ask, ann, as, join, signIn } = await withOwner(shop);
  const bob = await join("bob@example.com", "analyst");
  const make = () => ann("POST", `/v1/operators/${bob.id}/reset-link`);
  const use = (link: unknown, next = "bob has a new sentence") =>
    ask("POST", "/v1/password-resets/complete", {
      body: { token: tokenOf(link), password: next },
    });
  const made = await make();
  const stored = await shop.sql`select hash from access_link`;
  expect(JSON.stringify(stored)).not.toContain(tokenOf(made.body["link"]));
  expect((await use(made.body["link"], "BOB@example.com")).body["code"]).toBe(
    "access.password_is_email",
  );
  const both = await Promise.all([use(made.body["link"]), use(made.body["link"])]);
  expect(both.map(({ status }) => status).toSorted()).toEqual([200, 410]);
  expect((await as(bob.cookie)("GET", "/v1/session")).status).toBe(401);
  expect((await signIn("bob@example.com", password)).status).toBe(401);
  expect((await signIn("bob@example.com", "bob has a new sentence")).status).toBe(200);

  const late = await make();
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 3_600_000);
  expect((await use(late.body["link"])).body["code"]).toBe("access.link_dead");
});

test("an invitation is shown once, works once, and the newest counts", async () => {
  await using shop = await world();
  const { ask, ann, made } = await withOwner(shop);
  const again = { "idempotency-key": randomUUID(), cookie: cookieFrom(made) };
  const body = { email: "Bob@example.com", role: "merchant", merchants: ["m1"] };
  const first = await ask("POST", "/v1/invitations", { body, headers: again });
  const replay = await ask("POST", "/v1/invitations", { body, headers: again });
  expect(first.body["link"]).toMatch(/^http:\/\/localhost:8420\/invitation#/);
  expect(replay.body["code"]).toBe("request.answered_once");
  const second = await ann("POST", "/v1/invitations", body);
  const read = (link: unknown) =>
    ask("POST", "/v1/invitations/read", { body: { token: tokenOf(link) } });
  expect((await read(first.body["link"])).body["code"]).toBe("access.link_dead");
  expect((await read(second.body["link"])).body).toEqual({
    email: "Bob@example.com",
    role: "merchant",
  });
  const list = await ann("GET", "/v1/invitations");
  expect(list.body).toMatchObject({
    invitations: [{ email: "Bob@example.com", merchants: ["m1"] }],
  });

  const accept = (link: unknown) =>
    ask("POST", "/v1/invitations/accept", {
      body: { token: tokenOf(link), name: "Bob", password, language: "zh" },
    });
  const [one, two] = await Promise.all([accept(second.body["link"]), accept(second.body["link"])]);
  expect([one.status, two.status].toSorted()).toEqual([200, 410]);
  const bob = one.status === 200 ? one : two;
  expect(bob.body).toMatchObject({
    role: "merchant",
    language: "zh",
    scope: { kind: "merchants", merchants: ["m1"] },
  });
  expect((await ann("POST", "/v1/invitations", body)).body["code"]).toBe("access.email_taken");

  const third = await ann("POST", "/v1/invitations", { email: "cid@example.com", role: "analyst" });
  await ann("DELETE", `/v1/invitations/${String(third.body["id"])}`);
  expect((await accept(third.body["link"])).body["code"]).toBe("access.link_dead");
  const fourth = await ann("POST", "/v1/invitations", {
    email: "cid@example.com",
    role: "analyst",
  });
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 7 * 86_400_000);
  expect((await accept(fourth.body["link"])).body["code"]).toBe("access.link_dead");
});

test("the last owner stays, also where two owners remove each other at once", async () => {
  await using shop = await world();
  const { ann, as, join, id } = await withOwner(shop);
  const demote = (ask: typeof ann, whom: string) =>
    ask("PATCH", `/v1/operators/${whom}`, { role: "analyst" });
  expect((await demote(ann, id)).body["code"]).toBe("access.last_owner");
  expect((await ann("POST", `/v1/operators/${id}/disable`)).body["code"]).toBe("access.last_owner");
  const bob = await join("bob@example.com", "owner");
  // Both have come as far as the rows before either is let through.
  const both = await shop.sql.begin(async (tx) => {
    await tx`select from access_operator for update`;
    const asked = [demote(ann, bob.id), as(bob.cookie)("POST", `/v1/operators/${id}/disable`)];
    // Seen from outside: in a transaction of its own, each look would show the first one's state.
    for (let waiting = 0; waiting < 2;) {
      const rows = await shop.sql`
        select from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'`;
      waiting = rows.count;
    }
    return { asked };
  });
  const statuses = (await Promise.all(both.asked)).map(({ status }) => status);
  expect(statuses.toSorted()).toEqual([200, 409]);
  const left = await shop.sql`
    select from access_operator where role = 'owner' and disabled_at is null`;
  expect(left).toHaveLength(1);
});

test("a role changes at once; a disabled operator is out at once, with what they left open", async () => {
  await using shop = await world();
  const { ask, ann, as, join, signIn } = await withOwner(shop);
  const bob = await join("bob@example.com", "owner");
  const me = as(bob.cookie);
  const opened = await me("POST", "/v1/invitations", { email: "bob2@example.com", role: "owner" });
  await ann("PATCH", `/v1/operators/${bob.id}`, { role: "auditor" });
  expect((await me("GET", "/v1/session")).body).toMatchObject({ role: "auditor" });
  expect(
    (await me("POST", "/v1/invitations", { email: "x@example.com", role: "auditor" })).status,
  ).toBe(403);
  await ann("POST", `/v1/operators/${bob.id}/disable`);
  expect((await me("GET", "/v1/session")).status).toBe(401);
  expect((await signIn("bob@example.com", password)).status).toBe(401);
  const read = { body: { token: tokenOf(opened.body["link"]) } };
  expect((await ask("POST", "/v1/invitations/read", read)).status).toBe(410);
  await ann("POST", `/v1/operators/${bob.id}/enable`);
  expect((await signIn("bob@example.com", password)).status).toBe(200);
  expect((await me("GET", "/v1/session")).status).toBe(401);
  const { body } = await ann("GET", "/v1/operators");
  const found = body["operators"] as { name: string; role: string; disabledAt: unknown }[];
  expect(found.find(({ name }) => name === "bob")).toMatchObject({
    role: "auditor",
    disabledAt: null,
  });
});

test("an agent's cases are their scope", async () => {
  await using shop = await world();
  const { ann, as, join } = await withOwner(shop);
  const bob = await join("bob@example.com", "agent");
  const person = (await tokens(shop.house))[0]!.personId;
  const at = `/v1/operators/${bob.id}/cases`;
  expect((await ann("PUT", `${at}/${randomUUID()}`)).body["code"]).toBe("people.unknown");
  expect((await ann("PUT", `${at}/${person}`)).status).toBe(200);
  expect((await ann("PUT", `${at}/${person}`)).status).toBe(200);
  const me = await as(bob.cookie)("GET", "/v1/session");
  expect(me.body["scope"]).toEqual({ kind: "cases", people: [person] });
  expect((await ann("GET", at)).body).toMatchObject({ people: [{ person }] });
  await ann("DELETE", `${at}/${person}`);
  expect((await as(bob.cookie)("GET", "/v1/session")).body["scope"]).toEqual({
    kind: "cases",
    people: [],
  });
});

test("a key holds no more than its maker, is shown once, and is dead when revoked or expired", async () => {
  await using shop = await world();
  const { ask, ann } = await withOwner(shop);
  const create = (body: object) => ann("POST", "/v1/keys", { name: "key", ...body });
  const all = await create({ permissions: ["keys:write", "keys:read", "catalog:read"] });
  const key = String(all.body["key"]);
  expect(key).toMatch(/^lk_[\w-]{43}$/);
  const by = (secret: string) => (method: string, path: string, body?: unknown) =>
    ask(method, path, { body, headers: { authorization: `Bearer ${secret}` } });
  const more = { name: "more", permissions: ["operators:write"] };
  expect((await by(key)("POST", "/v1/keys", more)).body["code"]).toBe("access.beyond_own");
  const own = { name: "session", permissions: ["session:own"] };
  expect((await ann("POST", "/v1/keys", own)).body["code"]).toBe("access.beyond_own");
  expect((await by(key)("GET", "/v1/session")).status).toBe(403);

  const list = await by(key)("GET", "/v1/keys");
  expect(list.body).toMatchObject({
    keys: [{ prefix: key.slice(0, 9), usedAt: "2026-11-05T09:00:00.000Z" }],
  });
  expect(JSON.stringify(list.body)).not.toContain(key);
  const stored = await shop.sql`select k::text from access_key k`;
  expect(JSON.stringify(stored)).not.toContain(key.slice(9));
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 59_000);
  await by(key)("GET", "/v1/keys");
  const used = () => shop.sql`select used_at from access_key where id = ${String(all.body["id"])}`;
  expect((await used())[0]).toEqual({ usedAt: new Date("2026-11-05T09:00:00Z") });
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 1000);
  await by(key)("GET", "/v1/keys");
  expect((await used())[0]).toEqual({ usedAt: new Date("2026-11-05T09:01:00Z") });

  expect((await by(`${key.slice(0, -1)}_`)("GET", "/v1/keys")).status).toBe(401);
  await ann("DELETE", `/v1/keys/${String(all.body["id"])}`);
  expect((await by(key)("GET", "/v1/keys")).status).toBe(401);
  const expiresAt = new Date(shop.clock.machine.getTime() + 1000).toISOString();
  const brief = String((await create({ permissions: ["keys:read"], expiresAt })).body["key"]);
  expect((await by(brief)("GET", "/v1/keys")).status).toBe(200);
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 1000);
  expect((await by(brief)("GET", "/v1/keys")).status).toBe(401);
});

test("a key of a public source may send events and nothing else", async () => {
  await using shop = await world();
  const { ann } = await withOwner(shop);
  const source = randomUUID();
  const row = { id: source, name: "web", kind: "public", createdAt: shop.clock.machine };
  await shop.sql`insert into collect_source ${shop.sql(row)}`;
  const create = (permissions: string[], of = source) =>
    ann("POST", "/v1/keys", { name: "web", permissions, source: of });
  expect((await create(["events:write", "members:read"])).body["code"]).toBe(
    "access.public_source",
  );
  expect((await create(["events:write"], randomUUID())).body["code"]).toBe("access.source_unknown");
  expect((await create(["events:write"])).status).toBe(200);
  const token = (body: object) => ann("POST", "/v1/person-token-keys", { source, ...body });
  expect((await token({ algorithm: "EdDSA" })).body["code"]).toBe("access.public_key_needed");
  expect((await token({ algorithm: "EdDSA", publicKey: "A".repeat(43) })).body["secret"]).toBe(
    null,
  );
  expect((await token({})).body["secret"]).toMatch(/^[\w-]{43}$/);
});

test("no name, no address, no secret stands anywhere in clear", async () => {
  await using shop = await world();
  const { ann, join, signIn } = await withOwner(shop);
  await join("canary@example.com", "analyst");
  await ann("POST", "/v1/invitations", { email: "canary2@example.com", role: "agent" });
  await signIn("canary3@example.com", "wrong", { remote: "192.0.2.77" });
  const tables = await shop.owner<{ name: string }[]>`
    select table_name as name from information_schema.tables
    where table_schema = 'public' and table_type = 'BASE TABLE'`;
  for (const { name } of tables) {
    const rows = await shop.owner`select t::text as row from ${shop.owner(name)} t`;
    const text = rows.map((r) => String(r["row"])).join("\n");
    expect(text, name).not.toMatch(/canary|example\.com|192\.0\.2\.77|long enough/i);
    for (const hidden of ["canary", "Ann@example.com"])
      expect(text, name).not.toContain(Buffer.from(hidden).toString("hex"));
  }
});

test("what was done is in the audit, by whom", async () => {
  await using shop = await world();
  const { id, signIn, ann } = await withOwner(shop);
  await signIn("ann@example.com", "wrong");
  await signIn("ann@example.com", password);
  await ann("PATCH", "/v1/session", { language: "en" });
  const lines = await shop.owner<{ line: string }[]>`
    select actor || ' ' || endpoint || ' ' || outcome as line from audit order by id`;
  expect(lines.map(({ line }) => line)).toEqual([
    "system:terminal owner-link ok",
    "anonymous POST /v1/setup/exchange ok",
    `operator:${id} POST /v1/setup/complete ok`,
    "anonymous POST /v1/session access.wrong_sign_in",
    `operator:${id} POST /v1/session ok`,
    `operator:${id} PATCH /v1/session ok`,
  ]);
});
