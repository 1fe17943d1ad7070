import { expect, test } from "vitest";
import { thisPlatform, unsupported } from "./platform.ts";

test("the machine that runs this has the engines", () => {
  expect(unsupported(thisPlatform())).toBeUndefined();
});

test.each([
  ["linux", "x64", true, undefined],
  ["linux", "arm64", true, undefined],
  ["darwin", "arm64", false, undefined],
  ["darwin", "x64", false, undefined],
  ["linux", "x64", false, "linux x64 without glibc"],
  ["linux", "ia32", true, "linux ia32"],
  ["win32", "x64", false, "win32 x64"],
  ["freebsd", "x64", false, "freebsd x64"],
])("%s %s, glibc %s", (os, arch, glibc, named) => {
  const sentence = unsupported({ os, arch, glibc });
  if (named === undefined) expect(sentence).toBeUndefined();
  else {
    expect(sentence).toContain(`this is ${named}.`);
    expect(sentence).toContain(`当前系统是 ${named}`);
    expect(sentence).toContain("DATABASE_URL");
  }
});
