// What no client of its own would send, and some shop's program does: each oddity costs its own event and no neighbour,
// and what is refused is counted at its source.
import { expect, test } from "vitest";
import { rejectedOf, sourceOf, stage, stored } from "./harness.ts";
import { protocolOf, speak, speakers, type Speaker, type Spoken } from "./speaking.ts";

/** As JSON, in the place of one property's value. */
const oddities: Record<string, { json: string; kept: boolean }> = {
  "half a surrogate pair": { json: String.raw`"\ud83d"`, kept: false },
  NUL: { json: String.raw`"a\u0000b"`, kept: false },
  "a number nobody can hold": { json: "12345678901234567890123", kept: false },
  "a number beyond all": { json: "1e999", kept: false },
  "depth 1,000": { json: `${"[".repeat(1000)}1${"]".repeat(1000)}`, kept: false },
  "objects 1,000 deep": { json: `${'{"a":'.repeat(1000)}1${"}".repeat(1000)}`, kept: false },
  "a prototype": {
    json: '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}}}',
    kept: true,
  },
  "brackets within a text": { json: JSON.stringify("[{".repeat(500)), kept: true },
};
const mark = "put the odd one here";

/** The body with the odd value in it, also where a client wraps it in base64 or in a text. */
function withOdd({ body, ...rest }: Spoken, json: string): Spoken {
  const plain = JSON.stringify(mark);
  const swap = (text: string): string =>
    text
      .replaceAll(plain, () => json)
      .replaceAll(/[\w+/-]{60,}={0,2}/g, (coded) => {
        const inner = Buffer.from(coded, "base64").toString();
        return inner.includes(mark) || /[\w-]{200,}/.test(inner)
          ? Buffer.from(swap(inner)).toString("base64url")
          : coded;
      });
  return {
    ...rest,
    body: swap(decodeURIComponent(body.startsWith("gzip=") ? body : encodeURIComponent(body))),
  };
}

test.each<Speaker>([...speakers, "jitsuOld"])(
  "%s: an odd value costs its own event and none beside it",
  async (speaker) => {
    await using at = await stage();
    const source = await sourceOf(at, protocolOf(speaker));
    const said: Record<string, unknown> = {};
    const want: Record<string, unknown> = {};
    for (const [name, { json, kept }] of Object.entries(oddities)) {
      const before = (await stored(at, source.id)).length;
      const refusedBefore = (await rejectedOf(at, source)).length;
      const facts = [1, 2, 3].map((n) => ({
        kind: "track" as const,
        id: `${Object.keys(oddities).indexOf(name)}000000${n}`.padStart(
          36,
          "10000000-0000-4000-8000-00",
        ),
        name: "Shelf Seen",
        user: "u1",
        data: { n, odd: n === 2 ? mark : "plain" },
        at: Date.now() - n * 1000,
      }));
      const statuses: number[] = [];
      for (const request of speak(speaker, source.key, facts)) {
        const { path, headers, body } = withOdd(request, json);
        statuses.push((await fetch(`${at.url}${path}`, { method: "POST", headers, body })).status);
      }
      said[name] = {
        statuses: [...new Set(statuses)],
        stored: (await stored(at, source.id)).length - before,
        refused: (await rejectedOf(at, source)).length - refusedBefore,
      };
      want[name] = { statuses: [200], stored: kept ? 3 : 2, refused: kept ? 0 : 1 };
    }
    expect(said).toEqual(want);
  },
);
