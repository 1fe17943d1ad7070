import { expect, test } from "vitest";
import { ringDue, type TimerKind } from "#kernel/timers.ts";
import { web } from "../../test/authz.ts";
import { world, type World } from "../../test/database.ts";
import { schedule, timersWith } from "./jobs.ts";
import { routes } from "./routes.ts";
import { ownerLink, type Mail } from "./service.ts";

async function withOwner(shop: World) {
  const ask = web(shop.house, routes);
  const token = (await ownerLink(shop.house))!.split("#")[1];
  const begun = await ask("POST", "/v1/setup/exchange", { body: { token } });
  const cookie = begun.headers.get("set-cookie")!.split(";")[0]!;
  const body = {
    name: "Ann",
    email: "ann@example.com",
    password: "a long enough sentence",
    language: "en",
  };
  const made = await ask("POST", "/v1/setup/complete", { body, headers: { cookie } });
  const session = made.headers.getSetCookie().find((line) => line.startsWith("liuke_session"))!;
  return { ask, cookie: session.split(";")[0]! };
}

const ringAll = async (shop: World, timers: readonly TimerKind[]): Promise<void> => {
  while ((await ringDue(shop.house, timers)) > 0);
};

test("whoever forgot the password gets a link by mail; for an unknown address the same happens, and no mail", async () => {
  await using shop = await world();
  const { ask } = await withOwner(shop);
  const sent: Parameters<Mail>[0][] = [];
  const timers = timersWith(async (mail) => void sent.push(mail));
  const wish = (email: string) => ask("POST", "/v1/password-resets", { body: { email } });
  const [known, unknown] = [await wish(" Ann@example.com".trim()), await wish("bob@example.com")];
  expect([known.status, known.body]).toEqual([200, {}]);
  expect([unknown.status, unknown.body]).toEqual([known.status, known.body]);
  const rows = await shop.sql`select data from timer where kind = 'access.reset'`;
  expect([...rows]).toEqual([{ data: {} }, { data: {} }]);

  await ringAll(shop, timers);
  expect(sent).toMatchObject([{ to: "ann@example.com", subject: "Reset your Liuke password" }]);
  await wish("ann@example.com"); // at once again: no second mail
  await ringAll(shop, timers);
  expect(sent).toHaveLength(1);
  shop.clock.machine = new Date(shop.clock.machine.getTime() + 11 * 60_000);
  await wish("ann@example.com");
  await ringAll(shop, timers);
  expect(sent).toHaveLength(2);

  const token = /\/reset#([\w-]{43})/.exec(sent[1]!.text)![1];
  const body = { token, password: "a quite new sentence" };
  expect((await ask("POST", "/v1/password-resets/complete", { body })).status).toBe(200);
  const older = { token: /\/reset#([\w-]{43})/.exec(sent[0]!.text)![1], password: body.password };
  expect((await ask("POST", "/v1/password-resets/complete", { body: older })).status).toBe(410);
  const signIn = { body: { email: "ann@example.com", password: "a quite new sentence" } };
  expect((await ask("POST", "/v1/session", signIn)).status).toBe(200);
});

test("a mail that could not be sent is tried again, and leaves no link behind", async () => {
  await using shop = await world();
  const { ask } = await withOwner(shop);
  await ask("POST", "/v1/password-resets", { body: { email: "ann@example.com" } });
  await ringDue(
    shop.house,
    timersWith(async () => {
      throw new Error("no way out");
    }),
  );
  expect(await shop.sql`select from access_link`).toHaveLength(0);
  expect([...(await shop.sql`select attempts from timer where kind = 'access.reset'`)]).toEqual([
    { attempts: 1 },
  ]);
});

test("where no mail can be sent, the wish waits for a colleague", async () => {
  await using shop = await world();
  const { ask, cookie } = await withOwner(shop);
  await ask("POST", "/v1/password-resets", { body: { email: "ann@example.com" } });
  await ringAll(shop, timersWith(null));
  const { body } = await ask("GET", "/v1/operators", { headers: { cookie } });
  expect(body).toMatchObject({ operators: [{ resetAskedAt: "2026-11-05T09:00:00.000Z" }] });
  expect(await shop.sql`select from access_link`).toHaveLength(0);
});

test("what nobody can use any more is swept away, hour after hour", async () => {
  await using shop = await world();
  const { ask, cookie } = await withOwner(shop);
  const invitation = { email: "bob@example.com", role: "analyst" };
  await ask("POST", "/v1/invitations", { body: invitation, headers: { cookie } });
  await schedule(shop.house);
  const counts = async () => {
    const [row] = await shop.sql`
      select (select count(*)::int from access_session) as sessions,
        (select count(*)::int from access_invitation) as invitations,
        (select count(*)::int from access_try) as tries`;
    return row;
  };
  const later = async (ms: number) => {
    shop.clock.machine = new Date(shop.clock.machine.getTime() + ms);
    return ringDue(shop.house, timersWith(null));
  };
  expect(await later(3_599_999)).toBe(0);
  expect(await later(1)).toBe(1);
  expect(await counts()).toEqual({ sessions: 1, invitations: 1, tries: 0 });
  expect(await later(12 * 3_600_000)).toBe(1);
  expect(await counts()).toEqual({ sessions: 0, invitations: 1, tries: 0 });
  expect(await later(7 * 86_400_000)).toBe(1);
  expect(await counts()).toEqual({ sessions: 0, invitations: 0, tries: 0 });
});
