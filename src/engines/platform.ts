// The engines are native programs: which machines have them is known, and said before anything is tried.

export type Platform = { os: string; arch: string; glibc: boolean };

/** What this process runs on. Node's own report names the C library that it was started with. */
export function thisPlatform(): Platform {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return {
    os: process.platform,
    arch: process.arch,
    glibc: header.glibcVersionRuntime !== undefined,
  };
}

/** A sentence that says why the embedded engines cannot run there, or undefined where they can. */
export function unsupported(platform: Platform): string | undefined {
  const { os, arch, glibc } = platform;
  const knownArch = arch === "x64" || arch === "arm64";
  if (os === "darwin" && knownArch) return undefined;
  if (os === "linux" && knownArch && glibc) return undefined;
  const here = os === "linux" && !glibc ? `${os} ${arch} without glibc` : `${os} ${arch}`;
  return (
    `The embedded engines run on Linux with glibc (x64, arm64) and on macOS; this is ${here}. ` +
    `Set DATABASE_URL and CLICKHOUSE_URL to servers of your own. ` +
    `内置引擎只支持带 glibc 的 Linux（x64、arm64）和 macOS，当前系统是 ${here}；` +
    `请用 DATABASE_URL 和 CLICKHOUSE_URL 指向自己的服务器。`
  );
}
