// Two clocks, never mixed: the shop's can be moved by hand, the machine's cannot. Days are those of a time zone.
const days = new Map<string, Intl.DateTimeFormat>();
const dayFormat = (timeZone: string) => {
  const known = days.get(timeZone);
  if (known) return known;
  // Swedes happen to write their days as ISO does.
  const made = new Intl.DateTimeFormat("sv-SE", { timeZone });
  days.set(timeZone, made);
  return made;
};
/** The ISO day of an instant where the shop is. */
export const dayOf = (at: Date, timeZone: string): string => dayFormat(timeZone).format(at);

const walls = new Map<string, Intl.DateTimeFormat>();
const wallFormat = (timeZone: string) => {
  const known = walls.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  });
  walls.set(timeZone, made);
  return made;
};
/** What a zone's clock on the wall is ahead of UTC at an instant, in ms. */
const offsetMs = (at: number, timeZone: string): number =>
  Date.parse(`${wallFormat(timeZone).format(at).replace(" ", "T")}Z`) -
  Math.floor(at / 1000) * 1000;

const minutes = new Map<string, number>();
/**
 * The instant at which the shop's wall shows `wall` ("2011-09-09T00:00[:00]" or with a blank).
 * An hour that daylight saving skips is read with the offset before it; one it repeats, as the first.
 */
export function instantOf(wall: string, timeZone: string): Date {
  const [, day = "", time = "", rest = ""] =
    /^(\d{4}-\d\d-\d\d)[T ](\d\d(?::\d\d)?)(:.*)?$/.exec(wall) ?? [];
  const naive = Date.parse(`${day}T${time.padEnd(5, ":00")}${rest}Z`);
  // JavaScript reads the 30th of February as the 2nd of March: a day that was not is no instant.
  if (
    Number.isNaN(naive) ||
    new Date(Date.parse(`${day}T00:00:00Z`)).toISOString().slice(0, 10) !== day
  )
    return new Date(Number.NaN);
  // A file has many lines of one minute: ask Intl once for each.
  const key = `${timeZone} ${day} ${time}`;
  let offset = minutes.get(key);
  if (offset === undefined) {
    // The day before and the day after stand on both sides of any change; the offset before it goes first.
    const before = offsetMs(naive - 86_400_000, timeZone);
    const after = offsetMs(naive + 86_400_000, timeZone);
    // Intl writes years before 1000 in fewer digits, and none beyond its own range: no shop has those.
    if (Number.isNaN(before + after)) return new Date(Number.NaN);
    const shows = (ahead: number) => offsetMs(naive - ahead, timeZone) === ahead;
    offset = !shows(before) && shows(after) ? after : before;
    if (minutes.size > 100_000) minutes.clear();
    minutes.set(key, offset);
  }
  return new Date(naive - offset);
}

/** The day `days` after an ISO day. */
export const addDays = (day: string, days: number): string =>
  new Date(Date.parse(`${day}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);
/** Whole days from one ISO day to another. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(`${to}T00:00:00Z`) - Date.parse(`${from}T00:00:00Z`)) / 86_400_000);

/** The machine's time and its waiting: the only place that reads them. */
export const machineNow = (): Date => new Date();
export const wait = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
