// Forms over HTTP on a real PostgreSQL: who may ask, what is kept, what nobody finds out, and the link in the mail.
import { expect, test } from "vitest";
import { callers, tokens, web } from "../../test/authz.ts";
import { world, type World } from "../../test/database.ts";
import type { Definition } from "./rules.ts";
import { timersWith } from "./jobs.ts";
import { routes } from "./routes.ts";
import * as collectJobs from "#collect/jobs.ts";
import { ringDue } from "#kernel/timers.ts";
import { consume as meet } from "#people/jobs.ts";
import * as people from "#people/service.ts";
import * as collect from "#collect/service.ts";

const words = (zh: string, en: string) => ({ zh, en });
const definition: Definition = {
  title: words("欢迎", "Welcome"),
  intro: words("告诉我们一点点", "Tell us a little"),
  thanks: words("谢谢", "Thank you"),
  perStep: 3,
  doubleOptIn: true,
  fields: [
    {
      name: "email",
      type: "email",
      label: words("邮箱", "E-mail"),
      required: false,
      sensitive: false,
      options: [],
    },
    {
      name: "city",
      type: "city",
      label: words("城市", "City"),
      required: true,
      sensitive: false,
      options: [],
    },
    {
      name: "skin",
      type: "choice",
      label: words("肤质", "Skin"),
      required: false,
      sensitive: false,
      options: [{ value: "dry", label: words("干", "Dry") }],
    },
    {
      name: "due_date",
      type: "date",
      label: words("预产期", "Due date"),
      required: false,
      sensitive: true,
      options: [],
    },
  ],
  consents: [
    { purpose: "marketing", channel: "email", text: words("邮件", "Mail me") },
    { purpose: "marketing", channel: "inapp", text: words("站内", "Tell me here") },
    { purpose: "sensitive", channel: "use", text: words("敏感", "Keep it") },
  ],
};
async function open(here: World) {
  const headers = (await callers(here.house)).find(({ name }) => name === "owner")!.headers;
  const ask = web(here.house, routes);
  const made = await ask("POST", "/v1/forms", { headers, body: { slug: "welcome", definition } });
  expect(made.status).toBe(200);
  const id = String(made.body["id"]);
  const publish = (state: string, origins: string[] = []) =>
    ask("POST", `/v1/forms/${id}/state`, { headers, body: { state, origins } });
  await publish("live", ["https://shop.example"]);
  const mails: { to: string; text: string }[] = [];
  const ring = () =>
    ringDue(
      here.house,
      timersWith(async (mail) => void mails.push(mail)),
    );
  const answer = (body: object, more: object = {}) =>
    ask("POST", "/v1/forms/welcome/answers", { body: { answers: {}, ...body }, ...more });
  const consents = async () => [
    ...(await here.sql<{ kind: string; personId: string; textVersion: string; proof: string }[]>`
      select purpose || ' ' || channel as kind, person_id, text_version, proof from messages_consent order by 1`),
  ];
  return { ask, headers, id, publish, mails, ring, answer, consents };
}

test("a visitor answers step by step; what they type is their own word, and merges nobody", async () => {
  await using here = await world();
  const { answer, ask, consents } = await open(here);
  const server = await collect.sourceNamed(here.house, here.sql, "shop", "server");
  const sender = { type: "email" as const, value: "known@mail.example", at: here.clock.shop };
  const known = await here.sql.begin((tx) => people.nodesFor(here.house, tx, server.id, [sender]));
  const first = await answer({
    answers: { email: "known@mail.example", city: "Bath" },
    consents: ["marketing inapp"],
  });
  expect(first.body).toMatchObject({ more: true, wrong: {}, thanks: { en: "Thank you" } });
  const visitor = String(first.body["visitor"]);
  while ((await collectJobs.consume(here.house, [meet])) > 0);
  const [made] = await here.sql<
    { personId: string; attributes: Record<string, { v: string; c: number }> }[]
  >`
    select person_id, attributes from people_profile`;
  expect(made!.attributes["city"]).toMatchObject({ v: "Bath", c: 0.5 });
  expect(made!.personId).not.toBe([...known.values()][0]!.personId);
  expect((await here.sql`select from people_field`).count).toBe(0);
  expect(await consents()).toEqual([
    {
      kind: "marketing inapp",
      personId: made!.personId,
      textVersion: "welcome.1",
      proof: "form:welcome",
    },
  ]);
  // The next step asks the rest, and not again what was agreed to.
  const next = await ask("POST", "/v1/forms/welcome/next", { body: { visitor } });
  const names = (list: unknown) => (list as { name: string }[]).map(({ name }) => name);
  expect(names(next.body["fields"])).toEqual(["due_date"]); // the skin was left blank, and rests
  // Nor by mail, where no address is asked that could be confirmed; whoever says so all the same is told what is missing.
  expect(next.body["consents"]).toMatchObject([{ purpose: "sensitive" }]);
  const unsure = await answer({ visitor, answers: {}, consents: ["marketing email"] });
  expect(unsure.body["wrong"]).toEqual({ email: "missing" });
  expect(await consents()).toHaveLength(1);
  const forged = visitor.replace(/.$/, (c) => (c === "A" ? "B" : "A"));
  const other = await ask("POST", "/v1/forms/welcome/next", { body: { visitor: forged } });
  expect(names(other.body["fields"])).toEqual(["email", "city", "skin"]);
  // Nothing that names somebody stands in clear.
  const [log] = await here.sql<{ text: string }[]>`
    select string_agg(e::text, '') || (select string_agg(a::text, '') from audit a) as text from collect_event e`;
  expect(log!.text).not.toContain("known@");
});

test("what is missing, does not fit, or needs an agreement is named; a machine's answer changes nothing", async () => {
  await using here = await world();
  const { answer, publish } = await open(here);
  const wrong = await answer({ answers: { email: "no", due_date: "2026-05-01" } });
  expect(wrong.body["wrong"]).toEqual({
    email: "unfit",
    city: "missing",
    due_date: "needs_consent",
  });
  expect((await here.sql`select from forms_submission`).count).toBe(0);
  const trapped = await answer({ answers: { city: "Bath", website: "http://x" } });
  expect(trapped.body).toMatchObject({ thanks: { en: "Thank you" }, wrong: {} });
  expect((await here.sql`select from collect_event`).count).toBe(0);
  const long = await answer({ answers: { city: "x".repeat(3000), colour: "red" } });
  expect(long.body["wrong"]).toEqual({ city: "too_long", colour: "unknown" });
  const site = (origin: string) =>
    answer({ answers: { city: "Bath" } }, { headers: { origin, "content-type": "text/plain" } });
  const evil = await site("https://evil.example");
  expect(evil.status).toBe(403);
  expect(evil.headers.get("access-control-allow-origin")).toBeNull();
  const shop = await site("https://shop.example");
  expect(shop.status).toBe(200);
  expect(shop.headers.get("access-control-allow-origin")).toBe("https://shop.example");
  for (let i = 0; i < 25; i++)
    await answer({ answers: { city: "Bath" } }, { remote: "198.51.100.9" });
  const many = await answer({ answers: { city: "Bath" } }, { remote: "198.51.100.9" });
  expect(many.status).toBe(429);
  await publish("closed");
  expect((await answer({ answers: { city: "Bath" } })).status).toBe(410);
  await publish("draft");
  expect((await answer({ answers: { city: "Bath" } })).status).toBe(404);
});

test("the page without a script names each mistake and gives back what was typed and ticked", async () => {
  await using here = await world();
  const { ask } = await open(here);
  const post = async (
    said: Record<string, string>,
    consents: string[] = [],
    remote = "1.2.3.4",
  ) => {
    const form = new URLSearchParams(said);
    for (const one of consents) form.append("consent", one);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const answer = await ask("POST", "/f/welcome?lang=en", {
      headers,
      text: form.toString(),
      remote,
    });
    return { status: answer.status, html: answer.text };
  };
  const long = "长".repeat(201);
  const typed = { email: "ann@", city: long, due_date: "2026-05-01", "<b>": "x" };
  const { status, html } = await post(typed, ["marketing inapp"]);
  expect(status).toBe(422);
  for (const name of ["email", "city", "due_date"])
    expect(html).toMatch(new RegExp(`id="f-${name}"[^>]* aria-invalid="true"`));
  for (const text of ["ann@", long, "2026-05-01"]) expect(html).toContain(`value="${text}"`);
  expect(html).toContain("200 characters at most");
  expect(html).toContain("first agree that we may keep");
  expect(html).toContain("&lt;b&gt;: This form does not ask for that");
  expect(html).toMatch(/value="marketing inapp" checked/);
  expect(html).not.toMatch(/value="marketing email" checked/);
  // What no database holds is named as well, and the rest of it is there.
  const zero = await post({ email: "a\0b@c.example", city: "Bath" });
  expect(zero).toMatchObject({ status: 422 });
  expect(zero.html).toMatch(/value="ab@c.example"[^>]* aria-invalid="true"/);
  expect(zero.html).toContain('value="Bath"');
  // Too often: nothing is lost either.
  for (let i = 0; i < 25; i++) await post({ city: "Bath" }, [], "9.9.9.9");
  const busy = await post({ city: "Bath" }, [], "9.9.9.9");
  expect(busy).toMatchObject({ status: 429 });
  expect(busy.html).toContain('value="Bath"');
  expect(busy.html).toContain("too often");
  // Twenty answers as long as they may be, in Chinese, are no body too large.
  const words20 = Object.fromEntries(
    Array.from({ length: 20 }, (_, i) => [`q${i}`, "长".repeat(200)]),
  );
  expect((await post({ ...words20, city: "Bath" })).status).toBe(422);
});

test("what was left blank rests, what is known from elsewhere is not asked, and nothing is asked without end", async () => {
  await using here = await world();
  const all = await tokens(here.house);
  const right = all.find(({ good }) => good)!;
  await here.sql`insert into collect_source values (${right.source}, 'shop', 'server', false, now())`;
  const { answer, ask } = await open(here);
  const mine = { personToken: right.token };
  const step = async () => {
    while ((await collectJobs.consume(here.house, [meet])) > 0);
    const { body } = await ask("POST", "/v1/forms/welcome/next", { body: mine });
    return [(body["fields"] as { name: string }[]).map(({ name }) => name), body["complete"]];
  };
  expect(await step()).toEqual([["email", "city", "skin"], false]);
  // The shop says where they live: that is not asked, and one more is.
  const found = await people.find(here.sql, right.personId);
  if (!found.ok) throw new Error(found.code);
  await here.sql.begin((tx) =>
    people.setAttributes(
      tx,
      [
        {
          person: found.value,
          name: "city",
          value: "Bath",
          source: "identify",
          at: here.clock.shop,
        },
      ],
      here.clock.shop,
    ),
  );
  expect(await step()).toEqual([["email", "skin", "due_date"], false]);
  // Nothing is answered: everything was asked once, and rests.
  expect((await answer(mine)).body).toMatchObject({ more: false, wrong: {} });
  expect(await step()).toEqual([[], true]);
  here.clock.shop = new Date(here.clock.shop.getTime() + 89 * 86_400_000);
  expect(await step()).toEqual([[], true]);
  here.clock.shop = new Date(here.clock.shop.getTime() + 86_400_000);
  expect(await step()).toEqual([["email", "skin", "due_date"], false]);
});

test("sent twice it is taken once; two at the same time as well", async () => {
  await using here = await world();
  const { answer, ask, ring, mails } = await open(here);
  const step = (await ask("POST", "/v1/forms/welcome/next", { body: {} })).body;
  const body = {
    ...{ visitor: step["visitor"], sending: step["sending"], version: step["version"] },
    answers: { email: "twice@mail.example", city: "Bath", skin: "dry" },
    consents: ["marketing email", "marketing inapp"],
  };
  const said = await Promise.all([answer(body), answer(body), answer(body)]);
  const again = await answer(body);
  for (const one of [...said, again])
    expect(one.body).toMatchObject({ thanks: { en: "Thank you" }, wrong: {}, more: true });
  while ((await ring()) > 0);
  const counted = async () => ({
    submissions: (await here.sql`select from forms_submission`).count,
    events: (await here.sql`select from collect_event`).count,
    consents: (await here.sql`select from messages_consent`).count,
    mails: mails.length,
  });
  expect(await counted()).toEqual({ submissions: 1, events: 1, consents: 1, mails: 1 });
  // The next step is another sending; somebody else's with the same number is theirs.
  const next = (await ask("POST", "/v1/forms/welcome/next", { body: { visitor: step["visitor"] } }))
    .body;
  expect(next["sending"]).not.toBe(step["sending"]);
  await answer({ visitor: step["visitor"], sending: next["sending"], answers: { city: "York" } });
  const other = (await ask("POST", "/v1/forms/welcome/next", { body: {} })).body;
  await answer({ ...body, visitor: other["visitor"], consents: [] });
  expect(await counted()).toMatchObject({ submissions: 3, events: 3 });
  // The page without a script says the same; what it says of versions and sendings may be nonsense.
  const third = (await ask("POST", "/v1/forms/welcome/next", { body: {} })).body;
  const form = new URLSearchParams({ city: "Bath" });
  for (const name of ["visitor", "sending", "version"]) form.set(name, String(third[name]));
  const post = (text: string) =>
    ask("POST", "/f/welcome", {
      headers: { "content-type": "application/x-www-form-urlencoded" },
      text,
    });
  for (const one of await Promise.all([post(form.toString()), post(form.toString())]))
    expect(one.status).toBe(200);
  expect(await counted()).toMatchObject({ submissions: 4, events: 4 });
  form.set("sending", "<x>");
  form.set("version", "-1");
  expect((await post(form.toString())).status).toBe(200);
  expect(await counted()).toMatchObject({ submissions: 5, events: 5 });
});

test("what was agreed to is what was read, also where the form says something else by now", async () => {
  await using here = await world();
  const { answer, ask, headers, id, consents } = await open(here);
  const step = (await ask("POST", "/v1/forms/welcome/next", { body: {} })).body;
  expect(step["version"]).toBe(1);
  const changed = {
    ...definition,
    fields: definition.fields.slice(0, 3),
    consents: [
      { purpose: "marketing", channel: "inapp", text: words("别的", "Something else altogether") },
    ],
  };
  const put = await ask("PUT", `/v1/forms/${id}`, { headers, body: { definition: changed } });
  expect(put.body).toEqual({ version: 2 });
  const taken = await answer({
    ...{ visitor: step["visitor"], sending: step["sending"], version: step["version"] },
    answers: { city: "Bath", due_date: "2026-05-01" },
    consents: ["marketing inapp", "sensitive use"],
  });
  expect(taken.body).toMatchObject({ wrong: {} });
  expect(await consents()).toMatchObject([
    { kind: "marketing inapp", textVersion: "welcome.1" },
    { kind: "sensitive use", textVersion: "welcome.1" },
  ]);
  // A version that never was is none; of the form as it is now the other one cannot be agreed to.
  const now = await answer({
    ...{ version: 77, answers: { city: "Bath" } },
    consents: ["marketing inapp", "sensitive use"],
  });
  expect(now.body).toMatchObject({ wrong: {} });
  const lines = await consents();
  expect(lines.filter(({ textVersion }) => textVersion === "welcome.2")).toMatchObject([
    { kind: "marketing inapp" },
  ]);
  expect(lines).toHaveLength(3);
});

test("mail counts once its link was followed; the answer does not tell whether an address is known", async () => {
  await using here = await world();
  const { answer, ask, mails, ring, consents } = await open(here);
  const said = {
    answers: { email: "new@mail.example", city: "Bath" },
    consents: ["marketing email"],
  };
  const first = await answer(said);
  expect(await consents()).toEqual([]);
  await ring();
  expect(mails).toMatchObject([{ to: "new@mail.example" }]);
  const path = new URL(/http\S+/.exec(mails[0]!.text)![0]).pathname;
  // To look at the link confirms nothing, and a wrong one says only that it is dead.
  expect((await ask("GET", path)).status).toBe(200);
  expect(await consents()).toEqual([]);
  expect((await ask("POST", `${path}x`)).status).toBe(410);
  expect((await ask("POST", path)).status).toBe(200);
  expect((await ask("POST", path)).status).toBe(410);
  const owner = await people.byIdentifier(here.house, here.sql, "email", "new@mail.example");
  const [line] = await consents();
  expect(line).toMatchObject({
    kind: "marketing email",
    personId: owner!.personId,
    textVersion: "welcome.1",
  });
  expect(line!.proof).toMatch(/^confirmed:/);
  // The same again, of an address that is known by now.
  const again = await answer(said);
  const plain = (body: Record<string, unknown>) => ({ ...body, visitor: "" });
  expect(plain(again.body)).toEqual(plain(first.body));
  // One address gets three mails a day, whoever asks.
  for (let i = 0; i < 5; i++) await answer(said);
  await ring();
  while ((await ring()) > 0);
  expect(mails).toHaveLength(3);
  here.clock.machine = new Date(here.clock.machine.getTime() + 8 * 86_400_000);
  const late = new URL(/http\S+/.exec(mails[1]!.text)![0]).pathname;
  expect((await ask("POST", late)).status).toBe(410);
});

test("with a person token it is that person's; a wrong one is refused", async () => {
  await using here = await world();
  const all = await tokens(here.house);
  const right = all.find(({ good }) => good)!;
  await here.sql`insert into collect_source values (${right.source}, 'shop', 'server', false, now())`;
  const { answer, ask, mails, ring, consents } = await open(here);
  const body = {
    personToken: right.token,
    answers: { email: "me@mail.example", city: "Bath", due_date: "2026-05-01" },
    consents: ["marketing email", "sensitive use"],
  };
  expect((await answer(body)).body).toMatchObject({ visitor: null, wrong: {} });
  for (const { name, token, good } of all)
    // Whom we have not met yet is met by it.
    if (!good && name !== "of nobody we know" && token.length < 4000)
      expect((await answer({ ...body, personToken: token })).status).toBe(401);
  while ((await collectJobs.consume(here.house, [meet])) > 0);
  const [profile] = await here.sql<{ city: string }[]>`
    select attributes->'city'->>'c' as city from people_profile where person_id = ${right.personId}`;
  expect(profile!.city).toBe("1");
  expect(await consents()).toMatchObject([{ kind: "sensitive use", personId: right.personId }]);
  await ring();
  await ask("POST", new URL(/http\S+/.exec(mails[0]!.text)![0]).pathname);
  const mine = await people.byIdentifier(here.house, here.sql, "email", "me@mail.example");
  expect(mine!.personId).toBe(right.personId);
  expect(await consents()).toMatchObject([
    { kind: "marketing email", personId: right.personId },
    {},
  ]);
  const next = await ask("POST", "/v1/forms/welcome/next", { body: { personToken: right.token } });
  expect(next.body).toMatchObject({ fields: [], complete: true }); // the skin was left blank, and rests
  const [log] = await here.sql<
    { text: string }[]
  >`select string_agg(data::text, '') as text from collect_event`;
  expect(log!.text).not.toContain("2026-05-01");
});

test("an operator makes, changes and counts; the old words stay with the old version", async () => {
  await using here = await world();
  const { ask, headers, id, answer } = await open(here);
  const unfit = { ...definition, consents: [] };
  const refused = await ask("PUT", `/v1/forms/${id}`, { headers, body: { definition: unfit } });
  expect(refused.body).toMatchObject({ code: "forms.unfit", fields: ["fields.3.sensitive"] });
  const body = { definition: { ...definition, perStep: 4 } };
  expect((await ask("PUT", `/v1/forms/${id}`, { headers, body })).body).toEqual({ version: 2 });
  expect((await ask("PUT", `/v1/forms/${id}`, { headers, body })).body).toEqual({ version: 2 });
  const taken = await ask("POST", "/v1/forms", { headers, body: { slug: "welcome", definition } });
  expect(taken.status).toBe(409);
  await answer({ answers: { city: "Bath" } });
  await answer({ answers: { city: "Bath", skin: "dry" } });
  const one = await ask("GET", `/v1/forms/${id}`, { headers });
  expect(one.body).toMatchObject({
    submissions: 2,
    fields: [
      { name: "email", asked: 2, filled: 0 },
      { name: "city", asked: 2, filled: 2 },
      { name: "skin", asked: 2, filled: 1 },
      { name: "due_date", asked: 2, filled: 0 },
    ],
  });
  expect((await ask("GET", "/v1/forms", { headers })).body["forms"]).toMatchObject([
    { slug: "welcome", state: "live", version: 2, submissions: 2, people: 2 },
  ]);
});
