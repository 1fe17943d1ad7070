import { expect, test } from "vitest";
import { serverSettings, sharedMebibytes } from "./postgres-settings.ts";

const gibibyte = 2 ** 30;

test("the server keeps a quarter of its data in memory of its own, within the machine's eighth", () => {
  expect(sharedMebibytes(0, 4 * gibibyte)).toBe(128);
  expect(sharedMebibytes(0.4 * gibibyte, 64 * gibibyte)).toBe(128);
  expect(sharedMebibytes(5 * gibibyte, 24 * gibibyte)).toBe(1024);
  expect(sharedMebibytes(5 * gibibyte, 4 * gibibyte)).toBe(512);
  expect(sharedMebibytes(500 * gibibyte, 1 * gibibyte)).toBe(128);
  expect(serverSettings(18, 1, 512)).toEqual(
    expect.arrayContaining(["shared_buffers=512MB", "effective_cache_size=2048MB"]),
  );
});
