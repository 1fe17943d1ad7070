// Named points at which a test ends the process as a power cut would: nothing is flushed, closed or told.

/** Every point there is. Each stands where a crash would leave something half done, if something could be left so. */
export const crashPoints = [
  "command.before_commit",
  "command.after_commit", // done, and nobody was told
  "import.in_batch",
  "import.after_batch",
  "consume.before_commit",
  "outbox.before_commit",
  "feeds.after_send", // told, and not marked
  "columns.after_cut", // a batch is written down, and not sent
  "columns.after_send", // sent, and not marked
  "people.merge_step",
  "people.rework_step", // a part of who is who is worked out anew, and not said so
  "rebuild.before_commit", // people worked out anew, and not said so
  "mending.before_commit", // refused items sent again, and not said how far
  "rebuild.after_clear", // the columns are cleared, and nobody knows
  "migrate.in_file",
] as const;
export type CrashPoint = (typeof crashPoints)[number];

let armed: { point: string; left: number } | null = null;

/** `name`, or `name:n` for the n-th time that the process comes there (LIUKE_CRASH_AT). Throws on a name there is not. */
export function armCrash(text: string): void {
  const [point = "", times = "1"] = text.split(":");
  if (!(crashPoints as readonly string[]).includes(point) || !/^[1-9]\d*$/.test(times))
    throw new Error(`LIUKE_CRASH_AT: ${crashPoints.join(", ")}`, { cause: "config" });
  armed = { point, left: Number(times) };
}

export function crashAt(point: CrashPoint): void {
  if (armed?.point === point && --armed.left === 0) process.kill(process.pid, "SIGKILL");
}
