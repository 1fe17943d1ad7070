import fc from "fast-check";
import { expect, test } from "vitest";
import {
  covers,
  coversRole,
  fitPassword,
  neighbourhood,
  ownSession,
  permissions,
  permissionsOf,
  resetMail,
  roles,
  sameEmail,
  table,
} from "./rules.ts";

test("everybody sees and does what their role is for, and nobody can give away more than they hold", () => {
  expect(roles.filter((role) => permissionsOf(role).has("operators:write"))).toEqual(["owner"]);
  expect(roles.filter((role) => permissionsOf(role).has("members:erase"))).toEqual(["owner"]);
  for (const permission of permissions) expect(permissionsOf("owner").has(permission)).toBe(true);
  for (const role of roles) {
    expect(coversRole(permissionsOf("owner"), role)).toBe(true);
    expect(coversRole(permissionsOf(role), "owner")).toBe(role === "owner");
  }
  const held = fc.uniqueArray(fc.constantFrom(...permissions));
  fc.assert(
    fc.property(held, held, (mine, asked) => {
      expect(covers(new Set(mine), asked)).toBe(asked.every((one) => mine.includes(one)));
    }),
  );
});

test("nobody can give away a session, and what is not in the list cannot be given at all", () => {
  expect(covers(permissionsOf("owner"), [ownSession])).toBe(false);
  expect(covers(permissionsOf("owner"), ["person"])).toBe(false);
  expect(covers(permissionsOf("owner"), ["public"])).toBe(false);
});

test("an agent and a merchant see their own only", () => {
  expect(table.agent.scope).toBe("cases");
  expect(table.merchant.scope).toBe("merchants");
  for (const role of ["owner", "operator", "analyst", "auditor"] as const)
    expect(table[role].scope).toBe("all");
});

test("one address is one address however it is typed", () => {
  expect(sameEmail(" Ａnn@Example.COM ")).toBe("ann@example.com");
  expect(fitPassword("Ann@example.com ", "ann@example.com")).toMatchObject({
    code: "access.password_is_email",
  });
  expect(fitPassword("ann@example.com!", "ann@example.com").ok).toBe(true);
});

test.each([
  ["192.0.2.7", "192.0.2.7"],
  ["::ffff:192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:0DB8:1:2::9", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8:0:0"],
  ["::1", "0:0:0:0"],
  ["fe80::1%eth0", "fe80:0:0:0"],
  ["", ""],
])("%s is one of %s", (address, expected) => {
  expect(neighbourhood(address)).toBe(expected);
});

test("a reset mail speaks the operator's language, and both where none was chosen", () => {
  expect(resetMail("zh", "L").text).not.toMatch(/password/);
  expect(resetMail("en", "L").text).not.toMatch(/密码/);
  expect(resetMail(null, "L").text).toMatch(/密码[^]*password/);
});
