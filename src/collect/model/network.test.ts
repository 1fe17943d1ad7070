import fc from "fast-check";
import { expect, test } from "vitest";
import { cutAddress, isNetwork, isWithin } from "./network.ts";

test("networks and what lies in them", () => {
  expect(isWithin("10.1.2.3", ["10.0.0.0/8"])).toBe(true);
  expect(isWithin("11.1.2.3", ["10.0.0.0/8", "192.168.1.1"])).toBe(false);
  expect(isWithin("::ffff:192.168.1.1", ["192.168.1.1"])).toBe(true);
  expect(isWithin("2001:db8:1::7", ["2001:db8::/32"])).toBe(true);
  expect(isWithin("2001:db9::7", ["2001:db8::/32"])).toBe(false);
  for (const text of [
    "",
    "shop",
    "10.0.0.0/33",
    "256.1.1.1",
    "1.2.3",
    "2001:::1",
    "::/129",
    "10.0.0.0/",
  ])
    expect(isNetwork(text), text).toBe(false);
});
test("a cut address keeps its network and nothing of the machine", () => {
  fc.assert(
    fc.property(fc.ipV4(), (ip) => {
      const cut = cutAddress(ip);
      expect(cut).toBe(`${ip.split(".").slice(0, 3).join(".")}.0`);
      expect(cutAddress(cut)).toBe(cut);
    }),
  );
  fc.assert(
    fc.property(fc.ipV6(), (ip) => {
      const cut = cutAddress(ip);
      fc.pre(cut.includes("::"));
      expect(cutAddress(cut)).toBe(cut);
    }),
  );
  expect(cutAddress("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1::");
  expect(cutAddress("nobody")).toBe("");
});
