import { existsSync, readFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import { createServer as listen, type AddressInfo, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectOutgoing, refusedUrl, type Lookup } from "./outgoing.ts";

/** Listens on every address of this machine, and counts who came. */
async function canary(listener: RequestListener = (_, answer) => answer.end("got in")) {
  let hits = 0;
  const server = createServer((request, answer) => {
    hits++;
    listener(request, answer);
  }).listen(0, "::");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    hits: () => hits,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
/** A name server that gives these addresses for every name. */
const always =
  (...addresses: string[]): Lookup =>
  (_, __, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
    );
const asked = (url: string) => ({ url, headers: {}, body: "{}", timeoutMs: 2000 });

let trap: Awaited<ReturnType<typeof canary>>;
beforeAll(async () => void (trap = await canary()));
afterAll(() => trap[Symbol.asyncDispose]());

/** Ways to write this machine, its neighbours, and what a cloud tells about itself. */
const inwards = [
  ...["127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1"],
  ...[
    "017700000001",
    "0",
    "0.0.0.0",
    "127.255.255.254",
    "①②⑦.⓪.⓪.①",
    "127。0。0。1",
    "１２７.0.0.1",
  ],
  ...["localhost", "LOCALHOST", "localhost.", "a.localhost", "ｌｏｃａｌｈｏｓｔ", "loc%61lhost"],
  ...["[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]"],
  ...["[::127.0.0.1]", "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]"],
  ...["[2002:7f00:1::]", "[2001::7f00:1]", "[fe80::1]", "[fc00::1]", "[fd00:ec2::254]"],
  ...["[fec0::1]", "[ff02::1]", "[100::1]", "[5f00::1]", "[3fff::1]", "[2001:db8::1]"],
  ...["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0xa9fea9fe", "2852039166"],
  ...["100.64.0.1", "100.100.100.200", "192.0.0.192", "198.18.0.1", "168.63.129.16"],
  ...["224.0.0.1", "240.0.0.1", "255.255.255.255", "intranet", "metadata.google.internal"],
  ...["printer.local", "router.lan", "nas.home.arpa", "localhost..", "metadata.google.internal.."],
  ...["127.0.0.1.", "127.0.0.1..", "2130706433.", "0x7f.0x0.0x0.0x1", "00000177.0.0.1", "0x0"],
  ...["[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]", "[::ffff:0:0]"],
  ...[
    "[2002:a9fe:a9fe::]",
    "[2001:0:7f00:1::]",
    "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::ffff:100.64.0.1]",
  ],
  ...["100.127.255.255", "169.254.0.1", "192.88.99.1", "0.1.2.3", "１０。０。０。１", "①⓪.0.0.1"],
];

test.each(inwards)("http://%s leads inwards, and nobody is sent there", async (host) => {
  const out = connectOutgoing([], { lookup: always("127.0.0.1") });
  const before = trap.hits();
  const url = `http://${host}:${trap.port}/`;
  const answer = await out.post(asked(url));
  expect(answer).toMatchObject({ kind: "failed" });
  if (URL.canParse(url)) expect(refusedUrl(url, [])).toBe("internal");
  expect(trap.hits()).toBe(before);
  out.close();
});

test.each([
  ["file:///etc/passwd", "scheme"],
  ["gopher://example.com/", "scheme"],
  ["ftp://example.com/", "scheme"],
  ["data:text/plain,x", "scheme"],
  ["javascript:alert(1)", "scheme"],
  ["https://user@example.com/", "credentials"],
  ["https://:secret@example.com/", "credentials"],
  ["https://example.com:22/", "port"],
  ["https://example.com:25/", "port"],
  ["https://example.com:6379/", "port"],
  ["https://example.com:2375/", "port"],
  ["https://example.com:0/", "port"],
  ["//example.com", "address"],
  ["https://", "address"],
  [`https://example.com/${"a".repeat(2048)}`, "address"],
])("%s: %s", (url, code) => {
  expect(refusedUrl(url, [])).toBe(code);
});
test.each(["https://example.com/hook", "http://example.com:8080/", "https://例子.测试/"])(
  "%s may be written to",
  (url) => expect(refusedUrl(url, [])).toBeNull(),
);

test("a name is judged by every address it has, each time it is connected to", async () => {
  for (const bad of ["127.0.0.1", "::1", "::ffff:127.0.0.1", "10.1.2.3", "64:ff9b::a00:1", "::a:b"])
    for (const answers of [[bad], ["93.184.216.34", bad], [bad, "2606:2800:220:1::1"]]) {
      const out = connectOutgoing([], { lookup: always(...answers) });
      const answer = await out.post(asked(`http://shop.example:${trap.port}/`));
      expect(answer, String(answers)).toMatchObject({ kind: "failed", code: "internal" });
      out.close();
    }
  const nowhere = connectOutgoing([], { lookup: always() });
  expect(await nowhere.post(asked("http://shop.example/"))).toMatchObject({ code: "internal" });
  expect(trap.hits()).toBe(0);
});

test("a name server that changes its mind between two requests leads nobody in", async () => {
  const answers = ["127.0.0.2", "127.0.0.1"];
  let asks = 0;
  const out = connectOutgoing(["127.0.0.2/32"], {
    lookup: (host, options, done) =>
      always(answers[Math.min(asks++, answers.length - 1)]!)(host, options, done),
  });
  await using friend = await canary((_, answer) => {
    answer.setHeader("connection", "close");
    answer.end("well");
  });
  const url = `http://rebind.example:${friend.port}/`;
  // Judged once, and that very answer was connected to.
  expect(await out.post(asked(url))).toMatchObject({ kind: "answered", status: 200 });
  expect(asks).toBe(1);
  expect(await out.post(asked(url))).toMatchObject({ kind: "failed", code: "internal" });
  expect({ asks, hits: friend.hits() }).toEqual({ asks: 2, hits: 1 });
  out.close();
});

test("a redirect is an answer, and is not followed", async () => {
  await using door = await canary((_, answer) => {
    answer.writeHead(307, { location: `http://127.0.0.1:${trap.port}/` });
    answer.end();
  });
  const out = connectOutgoing([`door.example`], { lookup: always("127.0.0.1") });
  const before = trap.hits();
  const answer = await out.post(asked(`http://door.example:${door.port}/`));
  expect(answer).toMatchObject({ kind: "answered", status: 307 });
  expect(trap.hits()).toBe(before);
  out.close();
});

test("of an answer at most 64 KiB are read, and no time beyond its own is waited for", async () => {
  let stopped = 0;
  await using endless = await canary((request, answer) => {
    answer.on("close", () => stopped++);
    if (request.url === "/silent") return;
    const write = () => {
      while (answer.write(Buffer.alloc(16_384, "a")));
      answer.once("drain", write);
    };
    if (request.url === "/drip") {
      const timer = setInterval(() => answer.write("a"), 20);
      answer.on("close", () => clearInterval(timer));
    } else write();
  });
  const out = connectOutgoing(["127.0.0.1"]);
  const at = (path: string, timeoutMs: number) =>
    out.post({ ...asked(`http://127.0.0.1:${endless.port}${path}`), timeoutMs });
  const much = await at("/", 5000);
  expect(much).toMatchObject({ kind: "answered", cut: true });
  expect(much.kind === "answered" && much.body.length).toBe(64 * 1024);
  for (const path of ["/silent", "/drip"]) {
    const answer = await at(path, 300);
    expect(answer).toMatchObject({ kind: "failed", code: "timeout" });
    expect(answer.ms).toBeLessThan(1500);
  }
  await expect.poll(() => stopped).toBe(3);
  out.close();
});

/** Answers with these bytes, as it likes, whatever it is asked. */
async function rude(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = listen((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => answer(socket));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    open: () => sockets.size,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
/** Writes a piece again and again for as long as anybody listens. */
const dripping = (socket: Socket, piece: string, everyMs: number) => {
  const timer = setInterval(() => socket.write(piece), everyMs);
  socket.on("close", () => clearInterval(timer));
};
const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024));
const rudeness: Record<string, [(socket: Socket) => void, object]> = {
  "a word that is no HTTP": [(s) => s.end("SSH-2.0-OpenSSH\r\n"), { code: "broken" }],
  nothing: [(s) => s.end(), { code: "broken" }],
  "headers without an end": [
    (s) => {
      s.write("HTTP/1.1 200 OK\r\n");
      dripping(s, "x-a: b\r\n", 20);
    },
    { code: "timeout" },
  ],
  "a megabyte of headers": [
    (s) => s.write(`HTTP/1.1 200 OK\r\nx: ${"a".repeat(1024 * 1024)}\r\n\r\n`),
    { code: "broken" },
  ],
  "early hints without an end": [
    (s) => dripping(s, "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", 10),
    { code: "timeout" },
  ],
  "another protocol from here": [
    (s) => s.write("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"),
    { kind: "failed" },
  ],
  "less than it says": [
    (s) => s.end("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc"),
    { code: "broken" },
  ],
  "more than it says": [
    (s) => s.end(`HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc${"d".repeat(10_000)}`),
    { code: "broken" },
  ],
  "a chunk that is none": [
    (s) => s.end("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc"),
    { code: "broken" },
  ],
  "two lengths": [
    (s) => s.end("HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 5\r\n\r\nabcde"),
    { code: "broken" },
  ],
  "a bomb": [
    (s) =>
      s.end(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: ${bomb.length}\r\n\r\n`,
          ),
          bomb,
        ]),
      ),
    { kind: "answered", status: 200 },
  ],
  "a body a letter at a time": [
    (s) => {
      s.write("HTTP/1.1 200 OK\r\n\r\n");
      dripping(s, "a", 10);
    },
    { code: "timeout" },
  ],
};
test.each(Object.entries(rudeness))(
  "an answer that is %s takes neither time nor room",
  async (_, [answer, said]) => {
    await using there = await rude(answer);
    const out = connectOutgoing(["127.0.0.1"]);
    const from = performance.now();
    const got = await out.post({ ...asked(`http://127.0.0.1:${there.port}/`), timeoutMs: 500 });
    expect(got).toMatchObject(said);
    expect(performance.now() - from).toBeLessThan(2000);
    // What was pressed stays pressed.
    if (got.kind === "answered") expect(got.body.length).toBeLessThanOrEqual(64 * 1024);
    out.close();
    await expect.poll(there.open).toBe(0);
  },
);

test("what is allowed by name, by address or by range is reached, and nothing beside it", async () => {
  const url = `http://127.0.0.1:${trap.port}/`;
  for (const allowed of ["127.0.0.1", "127.0.0.0/8"]) {
    const out = connectOutgoing([allowed]);
    expect(await out.post(asked(url))).toMatchObject({ kind: "answered", status: 200 });
    expect(await out.post(asked(`http://[::1]:${trap.port}/`))).toMatchObject({ code: "internal" });
    out.close();
  }
  const named = connectOutgoing(["Hooks.Internal"], { lookup: always("127.0.0.1") });
  const of = (host: string) => named.post(asked(`http://${host}:${trap.port}/`));
  expect(await of("hooks.internal")).toMatchObject({ kind: "answered" });
  expect(await of("other.example")).toMatchObject({ code: "internal" });
  named.close();
});

test("an IPv6 address that lies outside of global unicast is never written to", () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.ipV4(), (six, four) => {
      const parsed = ipaddr.parse(six);
      const outside = (parsed.toByteArray()[0]! & 0xe0) !== 0x20;
      if (outside) expect(refusedUrl(`http://[${parsed.toString()}]/`, [])).toBe("internal");
      // Whatever IPv4 address is wrapped in, the wrapping alone is enough.
      for (const wrapped of [`::ffff:${four}`, `::${four}`, `64:ff9b::${four}`])
        expect(refusedUrl(`http://[${wrapped}]/`, [])).toBe("internal");
    }),
    { numRuns: 500 },
  );
});

const shared = `${process.env["LIUKE_SHARED"] ?? "../shared"}/data/badinputs`;
const lists = [
  `${shared}/wpt-url/urltestdata.json`,
  `${shared}/wpt-url/ada_extra_urltestdata.json`,
  `${shared}/payloadsallthethings/Open_Redirect_Intruder_Open-Redirect-payloads.txt`,
];
test.skipIf(!lists.every(existsSync))(
  "no address of the URL standard's own tests or of open redirects leads to this machine",
  async () => {
    const urls = lists.flatMap((file) => {
      const text = readFileSync(file, "utf8");
      return file.endsWith(".txt")
        ? text.split("\n").flatMap((line) => [line, `http:${line}`, `http://shop.example${line}`])
        : (JSON.parse(text) as (string | { input: string; base: string | null })[]).flatMap((one) =>
            typeof one === "string"
              ? []
              : [URL.parse(one.input, one.base ?? undefined)?.href ?? one.input],
          );
    });
    // Every name leads to this machine, and every address is tried on the port at which the canary sits.
    const out = connectOutgoing([], { lookup: always("127.0.0.1", "::1") });
    const before = trap.hits();
    let tried = 0;
    for (const text of urls) {
      const url = URL.parse(text);
      if (url && /^https?:$/.test(url.protocol) && isWithoutWay(url)) url.port = String(trap.port);
      if (url && !isWithoutWay(url)) continue;
      tried++;
      expect(await out.post(asked(url?.href ?? text)), text).toMatchObject({ kind: "failed" });
    }
    expect(tried).toBeGreaterThan(800);
    expect(trap.hits()).toBe(before);
    out.close();
  },
);
/** Not an address of somebody's out there, to which a request would really go. */
const isWithoutWay = ({ hostname }: URL): boolean =>
  !ipaddr.isValid(hostname.replace(/^\[|\]$/g, "")) ||
  refusedUrl(`http://${hostname}/`, []) !== null;
