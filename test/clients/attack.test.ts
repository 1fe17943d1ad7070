// Lines that break and requests that lie about themselves; and one batch in which everything is wrong that can be, once:
// what is right in it is taken, and what is not lies in the list, each thing with its reason.
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { contents, rejectedOf, sourceOf, stage, stored, type Stage } from "./harness.ts";

let at: Stage;
beforeAll(async () => {
  at = await stage();
});
afterAll(() => at[Symbol.asyncDispose]());

/** Writes these bytes as they are, and hears what comes back until the line ends or a while has passed. */
async function raw(parts: (string | Buffer)[], ends: boolean): Promise<string> {
  const { port } = new URL(at.url);
  const socket = connect(Number(port), "127.0.0.1");
  let heard = "";
  socket.on("data", (bytes) => (heard += bytes.toString()));
  socket.on("error", () => undefined);
  for (const part of parts) {
    socket.write(part);
    await pause(20);
  }
  if (ends) socket.end();
  for (let i = 0; i < 40 && !socket.destroyed && !/\r\n\r\n/.test(heard); i++) await pause(50);
  socket.destroy();
  return /^HTTP\/1\.1 (\d{3})/.exec(heard)?.[1] ?? "";
}
const event = (n: number, more: object = {}) => ({
  ...{ type: "track", event: "Shelf Seen", userId: "u1", messageId: `m-${n}`, properties: { n } },
  ...more,
});
const refusedOf = async (source: { id: string; owner: Record<string, string> }) => {
  const { body } = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
  return body["refused"] as { reason: string; count: number }[];
};

test("a request that lies about its length, or whose line breaks, stores nothing and stops nobody", async () => {
  const source = await sourceOf(at, "segment");
  const body = JSON.stringify({ batch: [event(1), event(2)] });
  const pressed = gzipSync(body);
  const head = (...more: string[]) =>
    [
      "POST /v1/batch HTTP/1.1",
      "host: 127.0.0.1",
      `authorization: Basic ${btoa(`${source.key}:`)}`,
      ...more,
      "\r\n",
    ].join("\r\n");
  const chunk = (bytes: string | Buffer) =>
    Buffer.concat([
      Buffer.from(`${bytes.length.toString(16)}\r\n`),
      Buffer.from(bytes),
      Buffer.from("\r\n"),
    ]);
  const long = `content-length: ${body.length + 100}`;
  const lies: Record<string, [(string | Buffer)[], boolean]> = {
    "longer than it is, and the line ends": [[head(long), body], true],
    "longer than it is, and nothing more comes": [[head(long), body], false],
    "cut in the middle": [[head(`content-length: ${body.length}`), body.slice(0, 80)], true],
    "no number": [[head("content-length: many"), body], true],
    "less than nothing": [[head("content-length: -5"), body], true],
    "two lengths": [[head(`content-length: ${body.length}`, "content-length: 5"), body], true],
    "a length and pieces": [
      [
        head(`content-length: ${body.length}`, "transfer-encoding: chunked"),
        chunk(body),
        "0\r\n\r\n",
      ],
      true,
    ],
    "pieces without an end": [[head("transfer-encoding: chunked"), chunk(body)], true],
    "a piece shorter than it says": [
      [
        head("transfer-encoding: chunked"),
        `${(body.length + 9).toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      ],
      true,
    ],
    "a piece of no length": [
      [head("transfer-encoding: chunked"), `zz\r\n${body}\r\n0\r\n\r\n`],
      true,
    ],
    "pressed pieces without an end": [
      [
        head("transfer-encoding: chunked", "content-encoding: gzip"),
        chunk(pressed.subarray(0, 60)),
      ],
      true,
    ],
  };
  for (const [what, [parts, ends]] of Object.entries(lies)) {
    const status = await raw(parts, ends);
    expect([what, ["", "400", "408", "413"].includes(status) ? "" : status]).toEqual([what, ""]);
  }
  expect(await stored(at, source.id)).toEqual([]);
  // Shorter than it is: JSON that breaks off, and the rest is no request.
  expect(await raw([head("content-length: 20"), body], true)).toBe("400");
  // Whole pieces are one body, and what follows on the same line is the next request.
  expect(
    await raw(
      [
        head("transfer-encoding: chunked"),
        chunk(pressed.subarray(0, 9)),
        chunk(pressed.subarray(9)),
        "0\r\n\r\n",
      ],
      false,
    ),
  ).toBe("200");
  expect(await stored(at, source.id)).toHaveLength(2);
  const refused = await refusedOf(source);
  expect(refused.map(({ reason }) => reason)).toEqual(["unreadable"]);
}, 60_000);

test("one batch of 2,500 with everything wrong in it once: its neighbours are taken, each refusal listed and counted", async () => {
  const source = await sourceOf(at, "segment");
  const deep = `${"[".repeat(500)}${"]".repeat(500)}`;
  const now = Date.now();
  const day = 86_400_000;
  // As JSON text: some of it no program would write.
  const bad: Record<string, [string, string]> = {
    null: ["null", "invalid"],
    "a number": ["7", "invalid"],
    "a list": ["[]", "invalid"],
    "an empty object": ["{}", "invalid"],
    "no type": [JSON.stringify({ event: "A", userId: "u" }), "invalid"],
    "a type nobody has": [JSON.stringify(event(0, { type: "explode" })), "invalid"],
    "a batch in a batch": [JSON.stringify({ type: "batch", batch: [event(0)] }), "invalid"],
    "a type that is an object's own word": [
      JSON.stringify(event(0, { type: "constructor" })),
      "invalid",
    ],
    "no name": [JSON.stringify(event(0, { event: "" })), "invalid"],
    "a name too long": [JSON.stringify(event(0, { event: "x".repeat(300) })), "invalid"],
    "a name that is an address": [
      JSON.stringify(event(0, { event: "ann@example.com" })),
      "invalid",
    ],
    nobody: [JSON.stringify({ ...event(0), userId: undefined }), "no_sender"],
    "a number too long for anybody": [
      JSON.stringify(event(0, { userId: "u".repeat(300) })),
      "invalid",
    ],
    "properties that are a list": [JSON.stringify(event(0, { properties: [1] })), "invalid"],
    "traits that are a word": [
      JSON.stringify(event(0, { type: "identify", traits: "x" })),
      "invalid",
    ],
    "a context that is a number": [JSON.stringify(event(0, { context: 5 })), "invalid"],
    "a time that is none": [JSON.stringify(event(0, { timestamp: "yesterday" })), "invalid"],
    "tomorrow's tomorrow": [
      JSON.stringify(event(0, { timestamp: new Date(now + 3 * day).toISOString() })),
      "not_yet",
    ],
    "before there were clocks": [
      JSON.stringify(event(0, { timestamp: "1970-01-01T00:00:00Z" })),
      "too_old",
    ],
    "too large": [
      JSON.stringify(event(0, { properties: { words: "x".repeat(33 * 1024) } })),
      "too_large",
    ],
    "too deep": [
      `{"type":"track","messageId":"b-1","event":"E","userId":"u","properties":{"deep":${deep}}}`,
      "invalid",
    ],
    "half a letter": [
      String.raw`{"type":"track","messageId":"b-2","event":"E","userId":"u","properties":{"a":"\ud83d"}}`,
      "invalid",
    ],
    "half a letter in a name": [
      String.raw`{"type":"track","messageId":"b-3","event":"E","userId":"u","properties":{"\ud83d":1}}`,
      "invalid",
    ],
    NUL: [
      String.raw`{"type":"track","messageId":"b-4","event":"E","userId":"u","properties":{"a":"\u0000"}}`,
      "invalid",
    ],
    "NUL in who it is": [
      String.raw`{"type":"track","messageId":"b-5","event":"E","userId":"u\u0000"}`,
      "invalid",
    ],
    "a number that would be rounded": [
      '{"type":"track","messageId":"b-6","event":"E","userId":"u","properties":{"a":12345678901234567890123}}',
      "invalid",
    ],
    "a number beyond all": [
      '{"type":"track","messageId":"b-7","event":"E","userId":"u","properties":{"a":1e400}}',
      "invalid",
    ],
    "an order of no number": [
      JSON.stringify(event(0, { event: "Order Completed", properties: { total: 5 } })),
      "invalid",
    ],
    "an order beyond all tills": [
      JSON.stringify(
        event(0, { event: "Order Completed", properties: { order_id: "x", total: 1e300 } }),
      ),
      "invalid",
    ],
    "a price that is a word": [
      JSON.stringify(
        event(0, { event: "Product Updated", properties: { product_id: "p", price: "cheap" } }),
      ),
      "invalid",
    ],
    "a line of an order": [JSON.stringify(event(0, { event: "Order Line" })), "use_order_lines"],
  };
  // Odd, and right: the last of two equal names counts, and no name changes what objects are.
  const odd = [
    '{"type":"track","event":"First","event":"Twice Said","userId":"u","messageId":"d-1","properties":{"n":-1,"n":-2}}',
    '{"type":"track","event":"Twice Said","userId":"u","messageId":"d-2","__proto__":{"userId":"evil"},"properties":{"__proto__":{"n":5},"constructor":{"prototype":{"n":6}},"n":-3}}',
  ];
  const wrong = Object.values(bad).map(([text]) => text);
  const good = Array.from({ length: 2500 - wrong.length - odd.length }, (_, n) =>
    JSON.stringify(event(n)),
  );
  // Each bad one between good ones.
  const items = [...odd, ...good];
  for (const [i, text] of wrong.entries()) items.splice((i + 1) * 70, 0, text);
  expect(items).toHaveLength(2500);
  const answer = await fetch(`${at.url}/v1/batch`, {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`${source.key}:`)}` },
    body: `{"batch":[${items.join(",")}]}`,
  });
  expect(answer.status).toBe(200);
  const rows = await stored(at, source.id);
  const said = rows.filter(({ name }) => name === "Twice Said").map((row) => contents(row));
  expect(said.map(({ n }) => n).toSorted()).toEqual(["-2", "-3"]);
  expect(rows.every(({ sender }) => sender !== "user_id:evil")).toBe(true);
  expect(({} as { n?: number }).n).toBeUndefined();
  const wanted = Object.values(bad).map(([, reason]) => reason);
  const counted = Object.fromEntries(
    (await refusedOf(source)).map((one) => [one.reason, Number(one.count)]),
  );
  const each = Object.fromEntries(
    [...Map.groupBy(wanted, (reason) => reason)].map(([reason, all]) => [reason, all.length]),
  );
  expect(counted).toEqual(each);
  expect(rows).toHaveLength(good.length + odd.length);
  expect((await rejectedOf(at, source)).map(({ reason }) => reason).toSorted()).toEqual(
    wanted.toSorted(),
  );
}, 60_000);
