// Who is who as clients put it who know one kind of id only, or kinds of their own: whatever an id was before it ended,
// what was told under it goes to whoever it turned out to be; and what was unbound is parted.
import { expect, test } from "vitest";
import { pumps } from "../../src/app.ts";
import * as people from "../../src/people/service.ts";
import type { IdentifierType } from "../../src/people/rules.ts";
import { sourceOf, stage, type Stage } from "../clients/harness.ts";

const hour = 3_600_000;
async function ready(at: Stage, protocol: "posthog" | "sensors" | "segment") {
  const { id, key } = await sourceOf(at, protocol);
  const work = pumps(at.house, null);
  const began = Date.now() - 50 * hour;
  let n = 0;
  const say = async (item: (when: number, n: number) => object) => {
    n++;
    const one = item(began + n * hour, n);
    const [path, body, headers] = {
      posthog: ["/batch/", JSON.stringify({ api_key: key, batch: [one] }), {}],
      segment: ["/v1/batch", JSON.stringify({ batch: [one], writeKey: key }), {}],
      sensors: [
        `/sa?project=${key}`,
        `gzip=0&data_list=${encodeURIComponent(Buffer.from(JSON.stringify([one])).toString("base64"))}`,
        { "content-type": "application/x-www-form-urlencoded" },
      ],
    }[protocol] as [string, string, Record<string, string>];
    const answer = await fetch(`${at.url}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    expect(answer.status).toBe(200);
    while ((await work.consume()) + (await work.merge()) > 0);
  };
  const find = async (type: IdentifierType, value: string) =>
    (await people.byIdentifier(at.house, at.sql, type, value, id))?.personId;
  return { say, find };
}

test("PostHog: aliases of ids of any look, merging two who are known, and a visitor whom only a server saw", async () => {
  await using at = await stage();
  const { say, find } = await ready(at, "posthog");
  const said = (event: string, id: string, properties: object) =>
    say((when, n) => ({
      ...{ event, distinct_id: id, uuid: `e-${n}`, timestamp: new Date(when).toISOString() },
      properties,
    }));
  // A shop that numbers its people by UUIDs, of which one ends.
  const [old, kept] = [
    "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "3f2504e0-4f89-41d3-9a0c-0305e82c3302",
  ];
  await said("Shelf Seen", old, {});
  await said("Shelf Seen", kept, {});
  expect(await find("user_id", old)).not.toBe(await find("user_id", kept));
  await said("$create_alias", kept, { alias: old });
  expect(await find("user_id", old)).toBe(await find("user_id", kept));
  // Two who signed in are joined by nothing less than its strongest word.
  await said("$identify", "ann", { $set: { city: "Rome" } });
  await said("$identify", "anna", { $set: { city: "Bari" } });
  expect(await find("user_id", "ann")).not.toBe(await find("user_id", "anna"));
  await said("$merge_dangerously", "ann", { alias: "anna" });
  expect(await find("user_id", "ann")).toBe(await find("user_id", "anna"));
  // What a server saw of a visitor before they signed in.
  const visitor = "3f2504e0-4f89-41d3-9a0c-0305e82c3303";
  await said("Shelf Seen", visitor, { $process_person_profile: false });
  await said("$identify", "ben", { $anon_distinct_id: visitor });
  expect(await find("anonymous_id", visitor)).toBe(await find("user_id", "ben"));
  expect(await find("user_id", visitor)).toBeUndefined();
}, 60_000);

test("Segment: a visitor whose id is no UUID is the member's after an alias", async () => {
  await using at = await stage();
  const { say, find } = await ready(at, "segment");
  const said = (item: object) =>
    say((when, n) => ({ messageId: `m-${n}`, timestamp: new Date(when).toISOString(), ...item }));
  await said({ type: "track", event: "Shelf Seen", anonymousId: "till-7" });
  await said({ type: "alias", userId: "u1", previousId: "till-7" });
  expect(await find("anonymous_id", "till-7")).toBe(await find("user_id", "u1"));
}, 60_000);

test("神策: what is bound is joined, what is unbound is parted, and an openid counts within its app", async () => {
  await using at = await stage();
  const { say, find } = await ready(at, "sensors");
  const said = (
    type: string,
    item: { login_id?: string; anonymous_id: string; identities?: object },
  ) =>
    say((time, n) => ({
      ...{ type, time, _track_id: n, properties: {} },
      ...{
        event: type === "track" ? "ShelfSeen" : "",
        distinct_id: item.login_id ?? item.anonymous_id,
      },
      ...item,
    }));
  const ann = { login_id: "ann", anonymous_id: "c-1" };
  const identities = { $identity_login_id: "ann", $identity_cookie_id: "c-1" };
  const mobile = { $identity_mobile: "13800138000" };
  await said("track", ann);
  await said("track_id_bind", { ...ann, identities: { ...identities, ...mobile } });
  expect(await find("phone", "13800138000")).toBe(await find("user_id", "ann"));
  await said("track_id_unbind", { ...ann, identities: mobile });
  expect(await find("phone", "13800138000")).not.toBe(await find("user_id", "ann"));
  // The visitor whose word it was is the member's still.
  expect(await find("anonymous_id", "c-1")).toBe(await find("user_id", "ann"));
  const ben = { login_id: "ben", anonymous_id: "c-2" };
  await said("track_id_bind", { ...ben, identities: mobile });
  expect(await find("phone", "13800138000")).toBe(await find("user_id", "ben"));

  await said("track", { anonymous_id: "m-1", identities: { $identity_mp_wx1_openid: "o-same" } });
  await said("track", { anonymous_id: "m-2", identities: { $identity_mp_wx2_openid: "o-same" } });
  expect(await find("anonymous_id", "m-1")).toBe(await find("openid", "wx1:o-same"));
  expect(await find("anonymous_id", "m-2")).not.toBe(await find("anonymous_id", "m-1"));
  for (const one of ["m-1", "m-2"])
    await said("track", { anonymous_id: one, identities: { $identity_mp_unionid: "union" } });
  expect(await find("anonymous_id", "m-2")).toBe(await find("anonymous_id", "m-1"));
}, 60_000);
