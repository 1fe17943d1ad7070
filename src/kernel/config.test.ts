import { isAbsolute } from "node:path";
import { expect, test } from "vitest";
import { readConfig } from "./config.ts";

test("every setting has a default; what is empty counts as not set; what is not listed is not read", () => {
  const bare = readConfig({});
  expect(bare).toMatchObject({
    HOST: "127.0.0.1",
    PORT: 8420,
    LIUKE_HOSTS: [],
    LIUKE_TIME_ZONE: "Asia/Shanghai",
    LIUKE_CURRENCY: "CNY",
    CLICKHOUSE_REPLICATED: false,
  });
  expect(isAbsolute(bare.LIUKE_HOME)).toBe(true);
  expect(readConfig({ PORT: "", DATABASE_URL: "", LIUKE_TIME_ZONE: "", HOME: "/x" })).toEqual(bare);
});

test("lists, numbers and switches are read", () => {
  const read = readConfig({
    LIUKE_HOSTS: " shop.example , ,www.shop.example",
    PORT: "0",
    CLICKHOUSE_REPLICATED: "true",
    LIUKE_HOME: "/srv/liuke",
  });
  expect(read).toMatchObject({
    LIUKE_HOSTS: ["shop.example", "www.shop.example"],
    PORT: 0,
    CLICKHOUSE_REPLICATED: true,
    LIUKE_HOME: "/srv/liuke",
  });
});

const secret = "hunter2";
test.each([
  [{ PORT: "80800" }, "PORT"],
  [{ PORT: secret }, "PORT"],
  [{ LIUKE_TIME_ZONE: "Mars/Phobos" }, "LIUKE_TIME_ZONE"],
  [{ LIUKE_CURRENCY: "yuan" }, "LIUKE_CURRENCY"],
  [{ LIUKE_LOG_LEVEL: "loud" }, "LIUKE_LOG_LEVEL"],
  [{ CLICKHOUSE_REPLICATED: "perhaps" }, "CLICKHOUSE_REPLICATED"],
  [{ HOST: "0.0.0.0" }, "HOST"],
  [{ HOST: "192.0.2.1", LIUKE_TLS_CERT_FILE: "c" }, "LIUKE_TLS_KEY_FILE"],
  [{ LIUKE_TLS_KEY_FILE: "k" }, "LIUKE_TLS_KEY_FILE"],
  [{ DATABASE_URL: `postgres://u:${secret}@db/liuke` }, "LIUKE_MASTER_KEY_FILE"],
  [{ DATABASE_OWNER_URL: `postgres://u:${secret}@db/liuke` }, "DATABASE_URL"],
  [{ CLICKHOUSE_REPORT_URL: `http://u:${secret}@ch` }, "CLICKHOUSE_URL"],
  [{ LIUKE_PUBLIC_URL: "shop.example" }, "LIUKE_PUBLIC_URL"],
  [{ LIUKE_PUBLIC_URL: "javascript:alert(1)" }, "LIUKE_PUBLIC_URL"],
])("%j is refused by the name of %s, and no value is shown", (given, name) => {
  const refusal = (() => {
    try {
      return readConfig(given) && "accepted";
    } catch (thrown) {
      return String(thrown);
    }
  })();
  expect(refusal).toContain(`${name}:`);
  expect(refusal).not.toContain(secret);
});

test.each([
  [{ HOST: "0.0.0.0", LIUKE_TLS_CERT_FILE: "c", LIUKE_TLS_KEY_FILE: "k" }],
  [{ HOST: "0.0.0.0", LIUKE_TRUSTED_PROXY: "10.0.0.1" }],
  [{ HOST: "::1" }],
  [
    {
      DATABASE_URL: "postgres://db",
      LIUKE_MASTER_KEY_FILE: "k",
      DATABASE_OWNER_URL: "postgres://db",
    },
  ],
  [{ LIUKE_PUBLIC_URL: "https://shop.example/liuke" }],
])("%j is accepted", (given) => {
  expect(() => readConfig(given)).not.toThrow();
});
