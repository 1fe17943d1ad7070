// What a client may send at once, to the byte and to the event; what explodes is stopped; and whatever a body is called,
// pressed with or cut into, it is read as what it is.
import { request } from "node:http";
import {
  brotliCompressSync,
  constants,
  deflateRawSync,
  deflateSync,
  gzipSync,
  zstdCompressSync,
} from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { answerOf } from "../../src/doors/model/answers.ts";
import { limits } from "../../src/doors/rules.ts";
import { contents, rejectedOf, sourceOf, stage, stored, type Stage } from "./harness.ts";
import { speak, speakers, type Fact, type Spoken } from "./speaking.ts";

let at: Stage;
beforeAll(async () => {
  at = await stage();
});
afterAll(() => at[Symbol.asyncDispose]());

const protocols = speakers.filter((one) => one !== "own");
type Protocol = (typeof protocols)[number];
const fact = (n: number, words = ""): Fact => ({
  ...{ kind: "track", id: `m-${n}`, user: "u1", name: "Shelf Seen" },
  data: words === "" ? { n } : { n, words },
});
async function post({ path, headers }: Spoken, body: string | Uint8Array, more = {}) {
  const answer = await fetch(`${at.url}${path}`, {
    method: "POST",
    headers: { ...headers, ...more },
    body: body as never,
  });
  await answer.arrayBuffer();
  return answer.status;
}
const count = async (source: { id: string }) => {
  const [row] = await at.sql<{ n: number }[]>`
    select count(*)::int as n from collect_event where source_id = ${source.id}`;
  return row!.n;
};
/** As its client presses it: 神策 inside its form, everybody else the whole body. */
function pressed(protocol: Protocol, { body }: Spoken, pad = 0): Uint8Array | string {
  if (protocol !== "sensors") return gzipSync(body + " ".repeat(pad));
  const list = new URLSearchParams(body).get("data_list")!;
  const inner = Buffer.from(list, "base64").toString() + " ".repeat(pad);
  return `gzip=1&data_list=${encodeURIComponent(gzipSync(inner).toString("base64"))}`;
}
/** How long the text is that is counted. */
function lengthOf(protocol: Protocol, { body }: Spoken): number {
  if (protocol !== "sensors") return Buffer.byteLength(body);
  return Buffer.from(new URLSearchParams(body).get("data_list")!, "base64").length;
}
/** A source that names no client is answered as its path's is. */
const tooLarge = (protocol: Protocol) =>
  answerOf(protocol === "liuke" ? "segment" : protocol, { kind: "request.too_large" }, 0).status;

test.each(protocols)(
  "%s: a request of exactly its limit is taken, one byte more is not",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const limit = limits[protocol].request;
    expect(limit).toBeLessThanOrEqual(20 * 1024 * 1024);
    const [one] = speak(protocol, source.key, [fact(1)]);
    const pad = limit - lengthOf(protocol, one!);
    expect(await post(one!, pressed(protocol, one!, pad))).toBe(200);
    expect(await count(source)).toBe(1);
    const [two] = speak(protocol, source.key, [fact(2)]);
    expect(await post(two!, pressed(protocol, two!, pad + 1))).toBe(tooLarge(protocol));
    // The same without being pressed.
    if (protocol !== "sensors") {
      expect(await post(two!, two!.body + " ".repeat(pad + 1))).toBe(tooLarge(protocol));
      // Whose it is stands in the body where a client puts it there, and is found: it is counted at the source.
      const { body } = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
      expect(body["refused"]).toEqual([{ reason: "too_large", count: 2 }]);
      expect(await count(source)).toBe(1);
      expect(await post(two!, two!.body + " ".repeat(pad))).toBe(200);
      expect(await count(source)).toBe(2);
    } else expect(await count(source)).toBe(1);
  },
);

/** The bytes of an event as they are counted. */
const bytesOf = (protocol: Protocol, { body }: Spoken): number => {
  const whole = JSON.parse(
    protocol === "sensors"
      ? Buffer.from(new URLSearchParams(body).get("data_list")!, "base64").toString()
      : body,
  ) as { batch?: unknown[]; data?: unknown[] } | unknown[];
  const [item] = Array.isArray(whole) ? whole : (whole.batch ?? whole.data ?? [whole]);
  return Buffer.byteLength(JSON.stringify(item));
};
test.each(protocols.filter((one) => limits[one].event * 1.5 < limits[one].request))(
  "%s: an event of exactly its limit is taken, one byte more is refused and costs its neighbour nothing",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const sized = (n: number, more: number) => {
      const bare = bytesOf(protocol, speak(protocol, source.key, [fact(n, "x")])[0]!);
      return fact(n, "x".repeat(1 + limits[protocol].event - bare + more));
    };
    for (const one of speak(protocol, source.key, [sized(1, 0), fact(2)]))
      expect(await post(one, one.body)).toBe(200);
    expect(await count(source)).toBe(2);
    for (const one of speak(protocol, source.key, [sized(3, 1), fact(4)]))
      expect([200, tooLarge(protocol)]).toContain(await post(one, one.body));
    const there = (await stored(at, source.id)).map((row) => contents(row)["n"]).toSorted();
    expect(there).toEqual(["1", "2", "4"]);
    const { body } = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
    expect(body["refused"]).toEqual([{ reason: "too_large", count: 1 }]);
  },
);

test.each(protocols.filter((one) => one !== "jitsu"))(
  "%s: as many events as its limit are taken at once, one more is not",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const { events } = limits[protocol];
    const small = Array.from({ length: events + 1 }, (_, n): Fact => ({
      ...{ kind: "track", id: `${n}`, user: "u", name: "E" },
    }));
    const [over] = speak(protocol, source.key, small);
    expect(await post(over!, pressed(protocol, over!))).toBe(tooLarge(protocol));
    expect(await count(source)).toBe(0);
    // A tracker's own envelope of each event is longer than its request has room for.
    if (lengthOf(protocol, over!) > limits[protocol].request) return;
    const [all] = speak(protocol, source.key, small.slice(0, events));
    expect(await post(all!, pressed(protocol, all!))).toBe(200);
    expect(await count(source)).toBe(events);
  },
);

test("what explodes is stopped by every client's limit, however it is pressed, and costs no memory", async () => {
  const zeros = Buffer.alloc(120 * 1024 * 1024, 32);
  const bomb = gzipSync(zeros, { level: 9 });
  const member = gzipSync(Buffer.alloc(1024 * 1024, 32));
  const bombs: [string, Uint8Array][] = [
    ["gzip", bomb],
    ["gzip", Buffer.concat(Array.from({ length: 120 }, () => member))], // of many parts
    ["br", brotliCompressSync(zeros)],
    ["zstd", zstdCompressSync(zeros)],
    ["deflate", deflateSync(zeros)],
    ["deflate", deflateRawSync(zeros)],
  ];
  for (const [, bytes] of bombs) expect(bytes.length).toBeLessThan(400_000);
  const before = process.memoryUsage().rss;
  for (const protocol of protocols) {
    const source = await sourceOf(at, protocol);
    const [one] = speak(protocol, source.key, [fact(1)]);
    const to = { ...one!, headers: { ...one!.headers, authorization: `Bearer ${source.key}` } };
    const answers = await Promise.all([
      ...bombs.map(([encoding, bytes]) => post(to, bytes, { "content-encoding": encoding })),
      // 神策's are inside the form, and in what was pressed twice.
      ...(protocol === "sensors"
        ? [bomb, gzipSync(bomb)].map((inner) =>
            post(to, `gzip=1&data_list=${encodeURIComponent(inner.toString("base64"))}`),
          )
        : []),
    ]);
    const [last] = protocol === "sensors" ? answers.splice(-1) : [];
    expect([protocol, ...new Set(answers)]).toEqual([protocol, tooLarge(protocol)]);
    // Pressed twice it is no JSON when it is opened once.
    if (last !== undefined) expect(last).toBe(400);
    expect(await count(source)).toBe(0);
    const { body } = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
    expect(body["refused"]).toContainEqual({ reason: "too_large", count: answers.length });
  }
  expect(process.memoryUsage().rss - before).toBeLessThan(400 * 1024 * 1024);
});

test.each(protocols)(
  "%s: an honest batch that is pressed to a twenty-ninth passes whole",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const many = protocol === "jitsu" ? 1 : 400;
    const words = "the same words of a long description ".repeat(protocol === "jitsu" ? 700 : 20);
    const all = Array.from({ length: many }, (_, n) => fact(n, words));
    for (const one of speak(protocol, source.key, all)) {
      const body = pressed(protocol, one);
      const bytes =
        protocol === "sensors"
          ? Buffer.from(new URLSearchParams(String(body)).get("data_list")!, "base64").length
          : body.length;
      // Base64 inside JSON presses worse: what a tracker sends so reaches less.
      expect(lengthOf(protocol, one) / bytes).toBeGreaterThan(29);
      expect(await post(one, body)).toBe(200);
    }
    expect(await count(source)).toBe(many);
  },
);

test("what is pressed is opened as it says, once; what says otherwise is refused, and counted", async () => {
  const source = await sourceOf(at, "segment");
  const [one] = speak("segment", source.key, [fact(1)]);
  const far = {
    params: { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 },
  };
  const ways: [string, Uint8Array, number][] = [
    ["zstd", zstdCompressSync(one!.body), 200],
    ["br", brotliCompressSync(one!.body), 200],
    ["deflate", deflateRawSync(one!.body), 200],
    ["x-gzip", gzipSync(one!.body), 200],
    ["GZIP", gzipSync(one!.body), 200],
    ["identity", Buffer.from(one!.body), 200],
    ["gzip", Buffer.from(one!.body), 200], // said, and not done
    ["", gzipSync(one!.body), 200], // done, and not said
    ["gzip", gzipSync(gzipSync(one!.body)), 400],
    ["gzip, gzip", gzipSync(gzipSync(one!.body)), 400],
    ["gzip", gzipSync(one!.body).subarray(0, 40), 400],
    ["br", gzipSync(one!.body).subarray(2), 400],
    ["zstd", Buffer.from("no zstd at all"), 400],
    // Looks back further than anybody may ask of a server.
    ["zstd", zstdCompressSync(Buffer.alloc(300_000, "x"), far), 400],
    ["compress", Buffer.from([0x1f, 0x9d, 1, 2]), 400],
  ];
  for (const [encoding, bytes, status] of ways) {
    const more = encoding === "" ? {} : { "content-encoding": encoding };
    expect([encoding, bytes.length, await post(one!, bytes, more)]).toEqual([
      encoding,
      bytes.length,
      status,
    ]);
  }
  expect(await count(source)).toBe(1);
  const { body } = await at.ask("GET", `/v1/sources/${source.id}`, { headers: source.owner });
  expect(body["refused"]).toEqual([{ reason: "unreadable", count: 7 }]);
});

test.each(protocols)(
  "%s: a charset that is said is read; what is in none costs its own event",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const words = "看了商品";
    const gbk = Buffer.from([0xbf, 0xb4, 0xc1, 0xcb, 0xc9, 0xcc, 0xc6, 0xb7]);
    const mark = "MARK";
    const made = (n: number) => speak(protocol, source.key, [fact(n, mark), fact(n + 1, "plain")]);
    const requests = [made(1), made(11)].map((all) =>
      all.filter(({ body }) => body.includes(mark)),
    );
    // Where base64 is around it, no charset of the request says anything of it.
    if (requests[0]!.length === 0) return;
    const swapped = ({ body }: Spoken) =>
      Buffer.concat([Buffer.from(body.split(mark)[0]!), gbk, Buffer.from(body.split(mark)[1]!)]);
    const [said] = requests[0]!;
    const type = `${said!.headers["content-type"] ?? "application/json"}; charset=gb18030`;
    expect(await post(said!, swapped(said!), { "content-type": type })).toBe(200);
    const [unsaid] = requests[1]!;
    expect(await post(unsaid!, swapped(unsaid!))).toBe(200);
    const rows = (await stored(at, source.id)).map((row) => contents(row)["words"]).toSorted();
    // A client that sends each event alone has its neighbours elsewhere.
    const plain = protocol === "jitsu" ? [] : ["plain", "plain"];
    expect(rows).toEqual([...plain, words]);
    const refused = await rejectedOf(at, source);
    expect(refused.map(({ reason }) => reason)).toEqual(["invalid"]);
    expect(refused[0]!.field).toMatch(/words$/);
  },
);

/** A type in capitals, without or with a charset, of a beacon, of a form, of nothing in particular, and none at all. */
const types = [
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/json; charset=utf-8",
  "Application/JSON",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
  null,
];
test.each(protocols)(
  "%s: a body is what it is, whatever its content type says",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const own =
      protocol === "cloudevents"
        ? [
            "application/cloudevents-batch+json; charset=UTF-8",
            "Application/CloudEvents-Batch+JSON",
          ]
        : types;
    for (const [n, type] of own.entries()) {
      const [one] = speak(protocol, source.key, [fact(n)]);
      const { "content-type": _, ...headers } = one!.headers;
      const to = { path: one!.path, headers, body: "" };
      const body = Buffer.from(one!.body);
      expect([type, await post(to, body, type === null ? {} : { "content-type": type })]).toEqual([
        type,
        200,
      ]);
    }
    // With the mark that some editors and languages put before UTF-8.
    const [marked] = speak(protocol, source.key, [fact(own.length)]);
    const mark = protocol === "sensors" ? "" : "\uFEFF";
    expect(await post(marked!, mark + marked!.body)).toBe(200);
    expect(await count(source)).toBe(own.length + 1);
  },
);

/** In pieces of so many bytes, without saying how many there will be. */
function chunked(to: Spoken, body: Uint8Array, piece: number) {
  return new Promise<{ status: number; written: number }>((resolve, reject) => {
    const out = request(`${at.url}${to.path}`, { method: "POST", headers: to.headers });
    let written = 0;
    let ended = false;
    out.on("response", (answer) => {
      ended = true;
      answer.resume();
      resolve({ status: answer.statusCode!, written });
      out.destroy();
    });
    out.on("error", (error) => (ended ? undefined : reject(error)));
    const more = () => {
      if (ended) return;
      if (written >= body.length) return void out.end();
      out.write(body.subarray(written, written + piece), () => setImmediate(more));
      written += piece;
    };
    more();
  });
}
test.each(protocols)(
  "%s: a body in small pieces is read whole, and a far too long one is not waited for",
  async (protocol) => {
    const source = await sourceOf(at, protocol);
    const [one] = speak(protocol, source.key, [fact(1)]);
    expect((await chunked(one!, Buffer.from(one!.body), 7)).status).toBe(200);
    expect(await count(source)).toBe(1);
    const long = Buffer.alloc(100 * 1024 * 1024, 32);
    const { status, written } = await chunked(one!, long, 64 * 1024);
    // A form that breaks off before its key names nobody; the key stands in the query.
    expect(status).toBe(
      protocol === "posthog" || protocol === "snowplow" ? 401 : tooLarge(protocol),
    );
    expect(written).toBeLessThan(limits[protocol].request + 16 * 1024 * 1024);
  },
);

test("PostHog: what a page's beacon sends as a form, as JSON or as base64 of it", async () => {
  const source = await sourceOf(at, "posthog");
  const event = (n: number) => ({
    ...{ event: "Shelf Seen", distinct_id: "u1", uuid: `b-${n}`, api_key: source.key },
    properties: { n },
  });
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const to = (path: string): Spoken => ({ path, headers: form, body: "" });
  const json = encodeURIComponent(JSON.stringify(event(1)));
  expect(await post(to("/e/?beacon=1"), `data=${json}`)).toBe(200);
  const coded = Buffer.from(JSON.stringify([event(2), event(3)])).toString("base64");
  expect(await post(to("/e/?beacon=1"), `data=${encodeURIComponent(coded)}`)).toBe(200);
  const gz = gzipSync(JSON.stringify([event(4)]));
  const plain = {
    ...to("/e/?compression=gzip-js&beacon=1"),
    headers: { "content-type": "text/plain" },
  };
  expect(await post(plain, gz)).toBe(200);
  expect(await count(source)).toBe(4);
});
